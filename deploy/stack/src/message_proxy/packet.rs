//! The parts of MQTT 3.1.1 that tell messages apart.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

const PUBLISH: u8 = 3;
/// More than either side of the product sends.
const MAX_PACKET_BYTES: usize = 1024 * 1024;
/// Bytes of the remaining length (section 2.2.3).
const MAX_LENGTH_BYTES: u32 = 4;
const CONTINUES: u8 = 0x80;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Published<'p> {
    /// The last level of its topic.
    pub(super) kind: &'p str,
    pub(super) payload: &'p [u8],
}

/// Reads one packet; `None` at the end of the stream.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let Ok(first) = from.read_u8().await else {
        return Ok(None);
    };
    let mut packet = vec![first];
    let mut length = 0;
    for place in 0..MAX_LENGTH_BYTES {
        let byte = from.read_u8().await?;
        packet.push(byte);
        length |= usize::from(byte & !CONTINUES) << (7 * place);
        if byte & CONTINUES == 0 {
            break;
        }
    }
    if length > MAX_PACKET_BYTES {
        return Err(io::Error::other("the packet is too large"));
    }
    let header = packet.len();
    packet.resize(header + length, 0);
    from.read_exact(&mut packet[header..]).await?;
    Ok(Some(packet))
}

/// `None` for any other packet than a `PUBLISH`.
pub(super) fn decode_publish(packet: &[u8]) -> Option<Published<'_>> {
    let (&first, rest) = packet.split_first()?;
    if first >> 4 != PUBLISH {
        return None;
    }
    let header = rest.iter().position(|byte| byte & CONTINUES == 0)?;
    let (length, rest) = rest[header + 1..].split_first_chunk()?;
    let (topic, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let has_packet_id = first & 0b0110 != 0;
    let payload = if has_packet_id { rest.get(2..)? } else { rest };
    let kind = std::str::from_utf8(topic).ok()?.rsplit('/').next()?;
    Some(Published { kind, payload })
}

/// A `PUBLISH` at QoS 0.
pub(super) fn encode_publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let topic_bytes = u16::try_from(topic.len()).unwrap_or(u16::MAX);
    let mut packet = vec![PUBLISH << 4];
    let mut length = 2 + topic.len() + payload.len();
    loop {
        let byte = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        packet.push(if length == 0 { byte } else { byte | CONTINUES });
        if length == 0 {
            break;
        }
    }
    packet.extend(topic_bytes.to_be_bytes());
    packet.extend(topic.as_bytes());
    packet.extend(payload);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_whole_packet_is_read_and_a_publish_is_decoded() {
        for size in [0, 1, 127, 128, 20_000] {
            let payload = vec![7; size];
            let mut bytes = encode_publish("ev1/up/node/scan", &payload);
            bytes.extend([0xc0, 0]);
            let mut stream = bytes.as_slice();
            let packet = read(&mut stream).await.expect("whole").expect("a packet");
            let decoded = decode_publish(&packet).expect("a PUBLISH");
            assert_eq!(
                (decoded.kind, decoded.payload),
                ("scan", payload.as_slice())
            );
            let ping = read(&mut stream).await.expect("whole").expect("a packet");
            assert_eq!(decode_publish(&ping), None);
            assert_eq!(read(&mut stream).await.expect("the end"), None);
        }
    }

    #[test]
    fn the_packet_id_is_not_part_of_the_payload() {
        let at_least_once = [0x32, 7, 0, 1, b'k', 0, 9, b'!', b'!'];
        let decoded = decode_publish(&at_least_once).expect("a PUBLISH");
        assert_eq!((decoded.kind, decoded.payload), ("k", &b"!!"[..]));
    }
}
