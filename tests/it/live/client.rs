//! A small HTTP/1.1 client that shows everything and keeps cookies, as a browser does.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A browser.
pub struct Client {
    address: SocketAddr,
    /// Cookies by name.
    pub cookies: BTreeMap<String, String>,
    /// Headers that are sent with every request.
    pub headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Where the browser is sent.
    pub fn location(&self) -> Option<&str> {
        self.header("location")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    fn parse(bytes: &[u8]) -> Response {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of the headers");
        let head = std::str::from_utf8(&bytes[..end]).expect("ASCII");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string())).collect();
        let mut response = Response { status: status.expect("a status"), headers, body: bytes[end + 4..].to_vec() };
        if response.header("transfer-encoding") == Some("chunked") {
            response.body = joined(&response.body);
        }
        response
    }
}

/// The body out of its chunks.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&chunks[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(length) = length.filter(|length| *length > 0) else { break };
        let start = end + 2;
        body.extend_from_slice(&chunks[start..start + length]);
        chunks = &chunks[start + length + 2..];
    }
    body
}

impl Client {
    /// A browser without cookies.
    pub fn new(address: SocketAddr) -> Client {
        Client { address, cookies: BTreeMap::new(), headers: Vec::new() }
    }

    /// Loads something.
    pub fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    /// Sends a form, with the token of a page.
    pub fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = self.csrf();
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields).append_pair("csrf_token", &token);
        self.send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], body.finish().as_bytes())
    }

    /// Sends JSON, with the token of the session.
    pub fn json(&mut self, method: &str, path: &str, body: &Value) -> Response {
        let token = self.csrf();
        let headers = [("content-type", "application/json"), ("x-csrf-token", token.as_str())];
        self.send(method, path, &headers, body.to_string().as_bytes())
    }

    /// The token in the pages of this browser.
    pub fn csrf(&mut self) -> String {
        let page = self.get("/error").text();
        let after = page.split_once(r#"name="csrf-token" content=""#).map(|(_, after)| after);
        after.and_then(|after| after.split('"').next()).unwrap_or_default().to_string()
    }

    /// Sends a request and keeps the cookies of the answer.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        let mut header = |name: &str, value: &str| request.push_str(&format!("{name}: {value}\r\n"));
        if !self.cookies.is_empty() {
            let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            header("cookie", &cookies.join("; "));
        }
        self.headers.iter().for_each(|(name, value)| header(name, value));
        headers.iter().for_each(|(name, value)| header(name, value));
        if !body.is_empty() || !matches!(method, "GET" | "HEAD") {
            header("content-length", &body.len().to_string());
        }
        let response = self.raw(&[request.as_bytes(), b"\r\n", body].concat());
        for (_, line) in response.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let pair = line.split(';').next().and_then(|pair| pair.split_once('='));
            let Some((name, value)) = pair else { continue };
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_string(), value.to_string());
            }
        }
        response
    }

    /// Sends bytes and reads the answer to the end of the connection.
    pub fn raw(&mut self, request: &[u8]) -> Response {
        self.try_raw(request).expect("an answer")
    }

    /// As [`Client::raw`]; `None` if the other side goes away without an answer.
    pub fn try_raw(&mut self, request: &[u8]) -> Option<Response> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        stream.write_all(request).ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        (!bytes.is_empty()).then(|| Response::parse(&bytes))
    }
}
