//! Clients of a server that answers over HTTP/1.1: so many at once, each asking again as soon as it has
//! its answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A request for a prediction, and the answer that is right.
pub(super) struct Question {
    pub(super) path: String,
    pub(super) media: &'static str,
    pub(super) body: Vec<u8>,
    /// The class that is most probable, and how probable.
    pub(super) wanted: (String, f64),
}

/// What became of many requests.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) answered: usize,
    /// Without an answer, or with another status than 200.
    pub(super) lost: usize,
    /// Answered, and not as is right.
    pub(super) wrong: usize,
    /// Of each answered one, in seconds, sorted.
    seconds: Vec<f64>,
    /// From the first request to the last answer.
    pub(super) wall: f64,
}

impl Load {
    /// The time within which this fraction of the requests was answered, in milliseconds.
    pub(super) fn percentile(&self, fraction: f64) -> f64 {
        let last = self.seconds.len().saturating_sub(1);
        let at = (fraction * last as f64).round() as usize;
        self.seconds.get(at).map_or(f64::NAN, |seconds| 1e3 * seconds)
    }

    /// Answers in a second.
    pub(super) fn rate(&self) -> f64 {
        self.answered as f64 / self.wall
    }

    fn add(&mut self, more: Self) {
        self.answered += more.answered;
        self.lost += more.lost;
        self.wrong += more.wrong;
        self.seconds.extend(more.seconds);
    }
}

/// Asks `total` times, going round the questions, from so many connections. Probabilities may be off by
/// `within`.
pub(super) fn ask(
    server: SocketAddr,
    questions: &[Question],
    total: usize,
    connections: usize,
    within: f64,
) -> Load {
    let since = Instant::now();
    let mut all = Load::default();
    thread::scope(|scope| {
        let clients = (0..connections).map(|client| {
            let mine = (client..total).step_by(connections);
            scope.spawn(move || one(server, questions, mine, within))
        });
        for client in clients.collect::<Vec<_>>() {
            all.add(client.join().unwrap_or_default());
        }
    });
    all.wall = since.elapsed().as_secs_f64();
    all.lost = total - all.answered;
    all.seconds.sort_by(f64::total_cmp);
    all
}

fn one(
    server: SocketAddr,
    questions: &[Question],
    mine: impl Iterator<Item = usize>,
    within: f64,
) -> Load {
    let (mut load, mut connection) = (Load::default(), None);
    for at in mine {
        let question = &questions[at % questions.len()];
        let since = Instant::now();
        match exchange(&mut connection, server, question) {
            Ok(said) => {
                load.answered += 1;
                load.seconds.push(since.elapsed().as_secs_f64());
                load.wrong += usize::from(!is_right(&said, &question.wanted, within));
            }
            Err(_) => connection = None,
        }
    }
    load
}

fn is_right(said: &Value, (label, probability): &(String, f64), within: f64) -> bool {
    let first = &said["predictions"][0]["labels"][0];
    let off = first["probability"].as_f64().map(|p| (p - probability).abs());
    first["label"] == **label && off.is_some_and(|off| off <= within)
}

/// A request and its answer over a connection that is kept.
fn exchange(
    connection: &mut Option<BufReader<TcpStream>>,
    server: SocketAddr,
    Question { path, media, body, .. }: &Question,
) -> Result<Value> {
    if connection.is_none() {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        *connection = Some(BufReader::new(stream));
    }
    let stream = connection.as_mut().context("a connection")?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {server}\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
    let (mut line, mut length) = (String::new(), 0);
    stream.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 200"), "{line}");
    loop {
        line.clear();
        ensure!(stream.read_line(&mut line)? > 0, "the answer ends early");
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').context("a header")?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn answers_are_counted_timed_and_compared() -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let server = listener.local_addr()?;
        // Every third answer is none.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || -> Result<()> {
                    let mut stream = BufReader::new(stream);
                    for at in 0.. {
                        let mut line = String::new();
                        while line.trim() != "" || line.is_empty() {
                            line.clear();
                            ensure!(stream.read_line(&mut line)? > 0);
                        }
                        let mut body = [0; 1];
                        stream.read_exact(&mut body)?;
                        let said =
                            r#"{"predictions":[{"labels":[{"label":"a","probability":0.5}]}]}"#;
                        let status = if at % 3 == 2 { 503 } else { 200 };
                        let head = format!(
                            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
                            said.len()
                        );
                        stream.get_mut().write_all([head.as_str(), said].concat().as_bytes())?;
                    }
                    Ok(())
                });
            }
        });
        let question = |wanted: &str| Question {
            path: "/".into(),
            media: "text/plain",
            body: b"x".to_vec(),
            wanted: (wanted.into(), 0.5),
        };
        let load = ask(server, &[question("a"), question("b")], 12, 2, 1e-5);
        assert_eq!((load.answered, load.lost), (8, 4));
        // The two clients ask one question each.
        assert_eq!(load.wrong, 4);
        assert!(load.percentile(0.5) <= load.percentile(0.99) && load.rate() > 0.);
        Ok(())
    }
}
