//! Recovery, interrupted at each operation of the disk in turn, with several choices of what
//! survives.

use grevy_sim::scene::interrupted_recovery;

#[test]
fn recovery_can_be_interrupted_anywhere() {
    let (mut crashes, mut torn) = (0, 0);
    for seed in 0..12 {
        match interrupted_recovery(seed) {
            Ok(scene) => {
                assert!(scene.ops > 20, "seed {seed}: {scene:?}");
                crashes += scene.crashes;
                torn += u64::from(scene.torn);
            }
            Err(why) => panic!("seed {seed}: {why}"),
        }
    }
    assert!(crashes > 1000, "only {crashes} crashes");
    assert!(torn > 0, "no tail was torn");
}
