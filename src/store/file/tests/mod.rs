#[cfg(feature = "compress")]
mod compressed;
#[cfg(feature = "compress")]
mod compressing;
mod crash;
#[cfg(feature = "compress")]
mod frames;
mod keys;
mod newest;
mod retaining;
mod simulated;
