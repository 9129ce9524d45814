//! Which fields a message may have. Protobuf passes over what it does not know; here it is refused, as over HTTP: a
//! client that knows more than this version must not think that all of its request was heard.

use std::collections::BTreeMap;

use paymux_core::payment::request::InvalidField;
use prost::Message as _;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use tonic::Status;

use crate::refusal;

/// How deep messages may stand in each other; what reads them goes no deeper.
const DEPTH_MAX: usize = 100;

/// The fields of every message, and which message each method takes.
#[derive(Debug)]
pub(crate) struct Known {
    fields: BTreeMap<String, BTreeMap<u64, Field>>,
    requests: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Field {
    name: String,
    /// Of which message it is one, if of any.
    message: Option<String>,
}

/// Why a message is not taken.
enum Fault {
    Unknown(InvalidField),
    Unreadable,
}

impl Known {
    /// What the descriptors tell.
    pub(crate) fn of(descriptors: &[u8]) -> Result<Self, prost::DecodeError> {
        let mut known = Self { fields: BTreeMap::new(), requests: BTreeMap::new() };
        for file in FileDescriptorSet::decode(descriptors)?.file {
            let package = file.package().to_owned();
            for message in &file.message_type {
                known.add(&package, message);
            }
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{package}.{}/{}", service.name(), method.name());
                    known.requests.insert(path, plain(method.input_type()));
                }
            }
        }
        Ok(known)
    }

    fn add(&mut self, above: &str, message: &DescriptorProto) {
        let name = format!("{above}.{}", message.name());
        for nested in &message.nested_type {
            self.add(&name, nested);
        }
        let field = |field: &FieldDescriptorProto| {
            let number = u64::try_from(field.number()).ok()?;
            let message = (field.r#type() == Type::Message).then(|| plain(field.type_name()));
            Some((number, Field { name: field.name().to_owned(), message }))
        };
        self.fields.insert(name, message.field.iter().filter_map(field).collect());
    }

    /// Refuses a message for that method in which something stands that is not known. One that cannot be read is
    /// refused too; a method that is not known is not judged.
    pub(crate) fn check(&self, method: &str, message: &[u8]) -> Result<(), Status> {
        let Some(name) = self.requests.get(method) else { return Ok(()) };
        self.walk(name, message, "", DEPTH_MAX).map_err(|fault| match fault {
            Fault::Unknown(field) => refusal::invalid(field),
            Fault::Unreadable => refusal::unreadable("its bytes are not those of a message"),
        })
    }

    fn walk(&self, name: &str, mut bytes: &[u8], above: &str, depth: usize) -> Result<(), Fault> {
        let fields = self.fields.get(name).filter(|_| depth > 0).ok_or(Fault::Unreadable)?;
        while !bytes.is_empty() {
            let key = varint(&mut bytes).ok_or(Fault::Unreadable)?;
            let content = content(key & 7, &mut bytes).ok_or(Fault::Unreadable)?;
            let field = fields.get(&(key >> 3)).ok_or_else(|| unknown(above, key >> 3, fields))?;
            if let (Some(message), Some(content)) = (&field.message, content) {
                self.walk(message, content, &joined(above, &field.name), depth - 1)?;
            }
        }
        Ok(())
    }
}

fn unknown(above: &str, number: u64, fields: &BTreeMap<u64, Field>) -> Fault {
    let known: Vec<String> =
        fields.iter().map(|(number, field)| format!("{number} {}", field.name)).collect();
    let rule = format!("unknown field number; known: {}", known.join(", "));
    Fault::Unknown(InvalidField::new(joined(above, &number.to_string()), rule))
}

fn joined(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") }
}

/// A full name without the dot that stands before it in descriptors.
fn plain(name: &str) -> String {
    name.trim_start_matches('.').to_owned()
}

/// Takes a field's value off; `None` where there is none of that wire type. Inside: the bytes of one that says its
/// length.
fn content<'a>(wire_type: u64, bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match wire_type {
        0 => varint(bytes).map(|_number| None),
        1 => taken(8, bytes).map(|_number| None),
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            taken(length, bytes).map(Some)
        }
        5 => taken(4, bytes).map(|_number| None),
        _ => None,
    }
}

fn taken<'a>(length: usize, bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// Takes a number off: seven bits a byte, the lowest first, at most ten bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if place == 9 && bits > 1 {
            return None;
        }
        number |= bits << (7 * place);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::{DESCRIPTORS, v1};

    const CREATE: &str = "/paymux.v1.PaymentService/CreatePayment";

    fn order() -> v1::CreatePaymentRequest {
        v1::CreatePaymentRequest {
            order_no: "A1".to_owned(),
            amount: -1,
            expires_in: Some(7),
            payer: Some(v1::Payer { ip: Some("203.0.113.7".to_owned()), ..Default::default() }),
            metadata: [("a".to_owned(), "b".to_owned())].into(),
            extra: Some(prost_types::Struct {
                fields: [("n".to_owned(), crate::json::value(&serde_json::json!([1, {"x": [true]}])))].into(),
            }),
            ..Default::default()
        }
    }

    fn check(method: &str, bytes: &[u8]) -> Result<(), Status> {
        Known::of(DESCRIPTORS).unwrap().check(method, bytes)
    }

    #[test]
    fn what_is_known_passes() {
        assert!(check(CREATE, &order().encode_to_vec()).is_ok());
        assert!(check(CREATE, &[]).is_ok());
        assert!(check("/paymux.v1.PaymentService/NoSuch", &[255]).is_ok());
        let explain = v1::ExplainRequest { payment: Some(order()), ..Default::default() };
        assert!(check("/paymux.v1.RoutingService/Explain", &explain.encode_to_vec()).is_ok());
    }

    #[test]
    fn what_is_not_known_is_refused_by_its_place() {
        // Field 99, a number; then the same inside of field 9, the payer.
        let top = [0x98, 0x06, 1];
        let inside = [0x4a, 3, 0x98, 0x06, 1];
        for (bytes, param) in [(&top[..], "99"), (&inside[..], "payer.99")] {
            let status = check(CREATE, &[&order().encode_to_vec(), bytes].concat()).unwrap_err();
            let details = status.get_error_details();
            assert_eq!(status.code(), Code::InvalidArgument);
            assert_eq!(details.error_info().unwrap().metadata["param"], param);
            assert!(status.message().contains("known: 1 "), "{status:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let whole = order().encode_to_vec();
        let broken: [&[u8]; 6] = [&[0x80], &[0x0a, 5, b'x'], &[0x0b], &[0x09, 1], &[0x0d, 1], &[0xff; 11]];
        for bytes in broken {
            assert_eq!(check(CREATE, bytes).unwrap_err().code(), Code::InvalidArgument, "{bytes:?}");
        }
        for length in 0..whole.len() {
            // Cut anywhere it is read or refused, and nothing panics.
            let _ = check(CREATE, &whole[..length]);
        }
        let mut deep = Vec::new();
        for _ in 0..2 * DEPTH_MAX {
            // A list of one value that is a list: field 6 of a value, field 1 of a list.
            deep = [
                vec![0x32],
                length_of(deep.len() + 1 + length_of(deep.len()).len()),
                vec![0x0a],
                length_of(deep.len()),
                deep,
            ]
            .concat();
        }
        let entry = [vec![0x0a, 1, b'n', 0x12], length_of(deep.len()), deep].concat();
        let object = [vec![0x0a], length_of(entry.len()), entry].concat();
        let bytes = [vec![0x62], length_of(object.len()), object].concat();
        assert_eq!(check(CREATE, &bytes).unwrap_err().code(), Code::InvalidArgument);
    }

    fn length_of(mut length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let low = u8::try_from(length & 0x7f).unwrap();
            length >>= 7;
            if length == 0 {
                bytes.push(low);
                return bytes;
            }
            bytes.push(low | 0x80);
        }
    }
}
