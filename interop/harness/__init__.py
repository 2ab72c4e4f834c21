"""What the interop tests share: servers to start and stop, Java programs to run, and a raw client."""
