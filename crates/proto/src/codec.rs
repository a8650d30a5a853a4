//! Protobuf on the wire, as tonic has it, but for who is told to be at fault.

use std::marker::PhantomData;

use prost::Message;
use tonic::{
    Code, Status,
    codec::{self, DecodeBuf},
};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// A request that is no such message is its sender's mistake (INVALID_ARGUMENT), not an error
/// inside this service (INTERNAL), which operators are woken for. An answer that is no such
/// message stays INTERNAL.
#[derive(Debug, Clone)]
pub struct Codec<T, U> {
    /// A client encodes what it asks before it decodes the answer; a server decodes first.
    asked: bool,
    _messages: PhantomData<(T, U)>,
}

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self { asked: false, _messages: PhantomData }
    }
}

impl<T, U> codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Decoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        self.asked = true;
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        Decoder { inner: ProstCodec::<T, U>::default().decoder(), of_answers: self.asked }
    }
}

/// Decodes `U`.
#[derive(Debug)]
pub struct Decoder<U> {
    inner: ProstDecoder<U>,
    of_answers: bool,
}

impl<U: Message + Default> codec::Decoder for Decoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        self.inner.decode(from).map_err(|status| match status.code() {
            // Its words name the field and say what is wrong with it, never its value.
            Code::Internal if !self.of_answers => Status::invalid_argument(status.message()),
            _ => status,
        })
    }

    fn buffer_settings(&self) -> codec::BufferSettings {
        self.inner.buffer_settings()
    }
}
