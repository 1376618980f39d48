#[cfg(feature = "zstd")]
mod compressed;
mod crash;
mod keys;
mod simulated;
