//! Changes as a stream, for tasks.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::inbox::{Changes, Event};

impl Stream for Changes {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.0.lock();
        match state.take() {
            Some(event) => Poll::Ready(Some(event)),
            None if state.closed => Poll::Ready(None),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
