#[cfg(feature = "zstd")]
mod compressed;
mod crash;
mod keys;
mod newest;
mod simulated;
