use eventify_protocol::lan::StreamEvent;
use reqwest::{Response, header::CONTENT_TYPE};

use crate::ClientError;

/// The longest event of the API is far shorter.
const MAX_EVENT_BYTES: usize = 256 * 1024;

/// An open stream of a node's events.
#[derive(Debug)]
pub struct Events {
    response: Response,
    parser: Parser,
}

impl Events {
    pub(crate) fn new(response: Response) -> Result<Self, ClientError> {
        let content_type = response.headers().get(CONTENT_TYPE).cloned();
        let events = Self {
            response,
            parser: Parser::default(),
        };
        if content_type.is_some_and(|value| value == "text/event-stream") {
            Ok(events)
        } else {
            Err(events.malformed("no event stream".to_owned()))
        }
    }

    /// The next event; none when the node has ended the stream: it stops, the scanner's last access
    /// token has ended, or it has opened too many newer streams. The connection breaks when the scanner
    /// is unpaired.
    ///
    /// # Errors
    /// [`ClientError::NoAnswer`] if the connection broke or no event came in time, or
    /// [`ClientError::Malformed`].
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, ClientError> {
        loop {
            if let Some(event) = self
                .parser
                .next()
                .map_err(|reason| self.malformed(reason))?
            {
                return Ok(Some(event));
            }
            match self.response.chunk().await? {
                Some(bytes) => self.parser.add(&bytes),
                None => return Ok(None),
            }
        }
    }

    fn malformed(&self, reason: String) -> ClientError {
        ClientError::Malformed {
            status: self.response.status().as_u16(),
            reason,
        }
    }
}

/// Server-sent events, as far as nodes use them: `event` and `data` on one line each, comments.
#[derive(Debug, Default)]
struct Parser {
    /// What has come of the next events.
    bytes: Vec<u8>,
}

impl Parser {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole event. Events of kinds that this version does not know are left out.
    fn next(&mut self) -> Result<Option<StreamEvent>, String> {
        while let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.bytes.drain(..end + 2).collect();
            let text = String::from_utf8(block).map_err(|error| error.to_string())?;
            let field = |name| text.lines().find_map(|line| line.strip_prefix(name));
            if let (Some("mode" | "counts"), Some(data)) = (field("event: "), field("data: ")) {
                return serde_json::from_str(data)
                    .map(Some)
                    .map_err(|error| error.to_string());
            }
        }
        if self.bytes.len() > MAX_EVENT_BYTES {
            return Err(format!("an event of more than {MAX_EVENT_BYTES} bytes"));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: &str = "event: counts\ndata: {\"type\":\"counts\",\"gates\":[]}\n\n";

    #[test]
    fn events_are_read_however_the_bytes_are_cut() {
        let text = format!(": comment\n\nevent: other\ndata: {{}}\n\n{COUNTS}{COUNTS}");
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for byte in text.as_bytes() {
            parser.add(&[*byte]);
            events.extend(parser.next().unwrap());
        }
        assert_eq!(events, vec![StreamEvent::Counts { gates: vec![] }; 2]);
        assert!(parser.bytes.is_empty());
    }

    #[test]
    fn what_is_no_event_is_an_error() {
        for text in [
            "event: counts\ndata: {}\n\n".to_owned(),
            "x".repeat(MAX_EVENT_BYTES + 1),
        ] {
            let mut parser = Parser::default();
            parser.add(text.as_bytes());
            assert!(parser.next().is_err());
        }
    }
}
