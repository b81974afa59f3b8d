//! How messages of the API are encoded: as tonic does it, with buffers of the
//! size that most of them have.
//!
//! tonic makes two buffers of 8 KiB for every call. Most messages here are far
//! smaller; larger ones make their buffers grow. `docs/performance.md` says what
//! this gave together with other changes; by itself it was not measured.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// How large a buffer is at first.
const BUFFER_BYTES: usize = 1024;
/// How much of a stream is gathered before it is sent: what tonic takes.
const YIELD_THRESHOLD_BYTES: usize = 32 * 1024;

/// tonic's codec for prost, with smaller buffers.
#[derive(Clone, Debug)]
pub struct SmallBuffersCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SmallBuffersCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for SmallBuffersCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(settings())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(settings())
    }
}

fn settings() -> BufferSettings {
    BufferSettings::new(BUFFER_BYTES, YIELD_THRESHOLD_BYTES)
}
