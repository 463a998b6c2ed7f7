//! Reads the body of a request, within limits of size, time and the room for all bodies.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::app::BLOCK;
use crate::job::Room;
use crate::refusal::Refusal;

/// A body.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) bytes: Bytes,
    pub(crate) room: Room,
}

/// Reads all of it.
///
/// # Errors
/// If it is longer than `most` bytes, does not arrive in time, ends early, or if there is no room for it.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    most: usize,
    time: Duration,
    room: &Arc<Semaphore>,
) -> Result<Read, Refusal> {
    let large = || Refusal::large(format!("the body is larger than {most} bytes"));
    if body.size_hint().lower() > most as u64 {
        discard(headers, body).await;
        return Err(large());
    }
    let read = collect(body, most, room);
    match timeout(time, read).await {
        Err(_) => {
            let problem = format!("the body has not arrived within {} seconds", time.as_secs_f64());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, problem))
        }
        Ok(Ok(read)) => Ok(read),
        Ok(Err((refusal, rest))) => {
            if let Some(rest) = rest {
                discard(headers, rest).await;
            }
            Err(refusal.unwrap_or_else(large))
        }
    }
}

/// What has gone wrong, `None` being too much, and the rest of the body if there is any.
type Ended = (Option<Refusal>, Option<Body>);

async fn collect(mut body: Body, most: usize, room: &Arc<Semaphore>) -> Result<Read, Ended> {
    let expected = (body.size_hint().lower() as usize).min(most);
    let (mut bytes, mut held): (Vec<u8>, Option<OwnedSemaphorePermit>) = (vec![], None);
    let mut blocks = 0;
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(_) => return Err((Some(Refusal::malformed("the body ends early")), None)),
        };
        // What is no data is a trailer.
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > most {
            return Err((None, Some(body)));
        }
        let more = length.div_ceil(BLOCK) - blocks;
        match room.clone().try_acquire_many_owned(more as u32) {
            Ok(more) => match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            },
            Err(_) => {
                let refusal = Refusal::busy("too many bodies are being read; ask again later");
                return Err((Some(refusal), Some(body)));
            }
        }
        blocks += more;
        if bytes.is_empty() && expected > 0 && data.len() == expected {
            // The usual one comes at once, and is not copied.
            return Ok(Read { bytes: data, room: held.map(Arc::new) });
        }
        if bytes.is_empty() {
            // Not all of what is announced, which costs nothing to say.
            bytes.reserve(expected.min(1 << 20));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Read { bytes: bytes.into(), room: held.map(Arc::new) })
}

/// Reads some of a body that is not wanted: a client that is still writing would else not see why. One that
/// waits until it is asked for the body is not asked.
pub(crate) async fn discard(headers: &HeaderMap, mut body: Body) {
    const MOST: usize = 4 << 20;
    const TIME: Duration = Duration::from_secs(1);
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let read = async {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > MOST {
                break;
            }
        }
    };
    // What comes later, nobody waits for.
    let _ = timeout(TIME, read).await;
}
