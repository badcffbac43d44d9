//! Action Message Format 0 ("Action Message Format -- AMF 0", Adobe): the values of `onMetaData`.

use crate::cursor::Cursor;

const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const OBJECT: u8 = 3;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;
const DATE: u8 = 11;
const LONG_STRING: u8 = 12;

/// Objects in objects that are still followed.
const MAX_DEPTH: u32 = 8;
/// The most properties of the outermost object that are looked at.
const MAX_PROPERTIES: usize = 1024;

#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Text(String),
    Other,
}

/// The properties of `onMetaData` in the body of a script tag, up to the first that makes no sense.
pub(super) fn parse_metadata(body: &[u8]) -> Vec<(String, Value)> {
    let mut properties = Vec::new();
    // Where the bytes end, the properties do.
    let _end: Option<()> = read_metadata(Cursor::new(body), &mut properties);
    properties
}

fn read_metadata(mut fields: Cursor<'_>, properties: &mut Vec<(String, Value)>) -> Option<()> {
    // Live streams put the name of the call in front.
    loop {
        match fields.u8()? {
            STRING => drop(read_text(&mut fields)?),
            OBJECT => break,
            ECMA_ARRAY => {
                fields.skip(4)?;
                break;
            }
            _ => return None,
        }
    }
    while properties.len() < MAX_PROPERTIES {
        let key = read_text(&mut fields)?;
        let kind = fields.u8()?;
        if kind == OBJECT_END {
            break;
        }
        properties.push((key, read_value(&mut fields, kind, MAX_DEPTH)?));
    }
    Some(())
}

fn read_text(fields: &mut Cursor<'_>) -> Option<String> {
    let size = fields.u16()?;
    fields.take(size.into()).map(|text| String::from_utf8_lossy(text).into_owned())
}

/// The value of type `kind`; the depth of objects in it is bounded by `depth`.
fn read_value(fields: &mut Cursor<'_>, kind: u8, depth: u32) -> Option<Value> {
    match kind {
        NUMBER => return fields.f64().map(Value::Number),
        STRING => return read_text(fields).map(Value::Text),
        LONG_STRING => {
            let size = usize::try_from(fields.u32()?).ok()?;
            return fields.take(size).map(|text| Value::Text(String::from_utf8_lossy(text).into_owned()));
        }
        BOOLEAN => fields.skip(1)?,
        DATE => fields.skip(8 + 2)?,
        OBJECT | ECMA_ARRAY => {
            let depth = depth.checked_sub(1)?;
            if kind == ECMA_ARRAY {
                fields.skip(4)?;
            }
            loop {
                let size = fields.u16()?;
                fields.skip(size.into())?;
                match fields.u8()? {
                    OBJECT_END => break,
                    kind => drop(read_value(fields, kind, depth)?),
                }
            }
        }
        STRICT_ARRAY => {
            let depth = depth.checked_sub(1)?;
            // Each turn takes a byte at least, or ends.
            for _ in 0..fields.u32()? {
                let kind = fields.u8()?;
                read_value(fields, kind, depth)?;
            }
        }
        // Null, undefined, unsupported.
        5 | 6 | 13 => {}
        _ => return None,
    }
    Some(Value::Other)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    pub(in super::super) fn text(text: &str) -> Vec<u8> {
        [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
    }

    pub(in super::super) fn number(key: &str, value: f64) -> Vec<u8> {
        [&text(key)[..], &[NUMBER], &value.to_be_bytes()].concat()
    }

    pub(in super::super) fn metadata(properties: &[Vec<u8>]) -> Vec<u8> {
        let head = [&[STRING][..], &text("onMetaData"), &[ECMA_ARRAY, 0, 0, 0, 9]].concat();
        [head, properties.concat(), vec![0, 0, OBJECT_END]].concat()
    }

    #[test]
    fn properties_of_every_type_are_passed() {
        let nested = [
            &text("keyframes")[..],
            &[OBJECT],
            &text("times"),
            &[STRICT_ARRAY, 0, 0, 0, 1, NUMBER],
            &[0; 8],
            &[0, 0, OBJECT_END],
        ]
        .concat();
        let title = [&text("title")[..], &[STRING], &text("T")].concat();
        let parsed = parse_metadata(&metadata(&[
            number("duration", 1.5),
            [&text("stereo")[..], &[BOOLEAN, 1]].concat(),
            nested,
            [&text("when")[..], &[DATE], &[0; 10]].concat(),
            title,
        ]));
        let values: Vec<_> = parsed.iter().map(|(key, value)| (key.as_str(), value)).collect();
        assert_eq!(
            values,
            [
                ("duration", &Value::Number(1.5)),
                ("stereo", &Value::Other),
                ("keyframes", &Value::Other),
                ("when", &Value::Other),
                ("title", &Value::Text("T".to_owned())),
            ]
        );
    }

    #[test]
    fn hostile_values_end_the_properties() {
        let deep = [text("a"), [&[OBJECT][..], &text("a")].concat().repeat(100_000)].concat();
        assert!(parse_metadata(&metadata(&[deep])).is_empty());
        let many = [&text("a")[..], &[STRICT_ARRAY, 255, 255, 255, 255]].concat();
        assert!(parse_metadata(&metadata(&[many])).is_empty());
        let endless = number("", 0.0).repeat(5000);
        assert_eq!(parse_metadata(&metadata(&[endless])).len(), MAX_PROPERTIES);
        assert!(parse_metadata(&[]).is_empty());
    }
}
