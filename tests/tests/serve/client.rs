//! A client of HTTP/1.1 that sends exactly what it is told to, be it wrong.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};

/// What a server answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.text()))
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let field = |line: &'_ str| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.len())
        };
        self.head.lines().find_map(|line| Some(line[line.len() - field(line)?..].trim()))
    }

    /// The predictions; fails the test if there are none.
    pub(super) fn predictions(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["predictions"].as_array().expect("predictions").clone()
    }

    /// The message of a refusal, which has the form that all have.
    pub(super) fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        let said = self.json();
        assert_eq!(said["error"]["code"], json!(status));
        let message = said["error"]["message"].as_str().expect("a message").to_string();
        assert!(!message.is_empty() && !message.contains('\n'), "{message:?}");
        message
    }
}

/// A connection that is kept.
pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(super) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        Self(BufReader::new(stream))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// The next answer; `None`: the server has closed the connection.
    pub(super) fn read(&mut self) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut answer = Answer { status, head, body: vec![] };
        let length = answer.header("content-length").map_or(0, |n| n.parse().unwrap());
        answer.body.resize(length, 0);
        self.0.read_exact(&mut answer.body).ok()?;
        Some(answer)
    }

    /// Asks with a method, a path, headers and a body.
    pub(super) fn ask(&mut self, request: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut head = format!("{request} HTTP/1.1\r\nhost: localhost\r\n");
        headers.iter().for_each(|header| head += &format!("{header}\r\n"));
        head += &format!("content-length: {}\r\n\r\n", body.len());
        // A server may answer, and close, before it has read all of a body.
        let _ = self.write(head.as_bytes()).and_then(|()| self.write(body));
        self.read().unwrap_or_else(|| panic!("no answer to {request}"))
    }

    pub(super) fn get(&mut self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[], b"")
    }

    /// Asks a model.
    pub(super) fn predict(&mut self, model: &str, media: &str, body: &[u8]) -> Answer {
        let media = format!("content-type: {media}");
        self.ask(&format!("POST /v1/models/{model}/predict"), &[&media], body)
    }

    /// Asks a model about texts.
    pub(super) fn texts(&mut self, model: &str, inputs: &Value) -> Answer {
        let body = json!({"inputs": inputs}).to_string();
        self.predict(model, "application/json", body.as_bytes())
    }
}

/// Files as the body of a form, with its content type.
pub(super) fn form(files: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "xXx-boundary-xXx";
    let mut body = vec![];
    for (name, bytes) in files {
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}
