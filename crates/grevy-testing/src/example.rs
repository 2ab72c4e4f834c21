//! Examples of the documentation, run against a server of their own.

use crate::place::Place;
use grevy_client::Client;
use std::error::Error;

/// Runs an example with a client of a new server, which ends with it.
///
/// # Panics
///
/// If the example fails.
///
/// ```
/// use grevy_client::CreateOptions;
///
/// grevy_testing::run(async |client| {
///     client.create("/a", b"1", &CreateOptions::persistent()).await?;
///     assert_eq!(client.get_data("/a").await?.0, b"1");
///     Ok(())
/// });
/// ```
///
/// ```should_panic
/// grevy_testing::run(async |_| Err("this does not work".into()));
/// ```
pub fn run(example: impl AsyncFnOnce(Client) -> Result<(), Box<dyn Error>>) {
    with_place(async |place| {
        let client = place.client().await;
        let result = example(client.clone()).await;
        // Whatever the example has left behind, the server need not wait for.
        client.close().await;
        result
    });
}

/// Runs an example with the address (`host:port`) of a new server, which ends with it: for examples that show
/// how to connect.
///
/// # Panics
///
/// If the example fails.
///
/// ```
/// use grevy_client::Client;
///
/// grevy_testing::run_at(async |address| {
///     let client = Client::connect(&address).await?;
///     assert!(client.state().is_connected());
///     Ok(())
/// });
/// ```
pub fn run_at(example: impl AsyncFnOnce(String) -> Result<(), Box<dyn Error>>) {
    with_place(async |place| example(place.address.to_string()).await);
}

fn with_place(example: impl AsyncFnOnce(&Place) -> Result<(), Box<dyn Error>>) {
    let place = Place::new("example");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    if let Err(error) = runtime.block_on(example(&place)) {
        panic!("the example failed: {error}");
    }
}
