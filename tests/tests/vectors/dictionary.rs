//! Dictionaries (spec 01 §17).

use serde_json::Value;
use zt_protocol::dictionary::{Dictionary, DictionaryWriter};

use crate::fields::{bytes, cases, flag, has, hex_number, list, name, number, text};
use crate::report::Report;

/// dictionary.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    for case in cases(file) {
        match text(case, "operation") {
            "encode" => report.case(name(case), || {
                let mut writer = DictionaryWriter::default();
                for entry in list(case, "entries") {
                    writer.bytes(text(entry, "key"), &bytes(entry, "value"));
                }
                compare_written(case, writer);
            }),
            "encode_typed" => report.case(name(case), || {
                let mut writer = DictionaryWriter::default();
                for entry in list(case, "entries") {
                    write_typed(&mut writer, entry);
                }
                compare_written(case, writer);
            }),
            "decode" => report.case(name(case), || compare_read(case, &bytes(case, "input_hex"))),
            _ => report.not_run(
                name(case),
                "our writer has no capacity: what is written is bounded by its callers",
            ),
        }
    }
}

fn write_typed(writer: &mut DictionaryWriter, entry: &Value) {
    let (key, value) = (text(entry, "key"), text(entry, "value"));
    match text(entry, "type") {
        // The reference loses the sign, so there is no signed number to write.
        "u64" | "i64" => {
            writer.hex(key, u64::from_str_radix(value.trim_start_matches('-'), 16).unwrap())
        }
        "address" => writer.address(key, value.parse().unwrap()),
        "bool" => writer.bool(key, value == "true"),
        other => panic!("unknown type {other}"),
    };
}

fn compare_written(case: &Value, writer: DictionaryWriter) {
    let written = writer.finish();
    assert_eq!(hex::encode(&written), text(case, "encoded_hex"));
    compare_read(case, &written);
}

fn compare_read(case: &Value, input: &[u8]) {
    let dictionary = Dictionary::new(input);
    for entry in list(case, "decoded") {
        let key = text(entry, "key");
        let value = dictionary.bytes(key);
        if entry["result"] == -1 {
            assert_eq!(value, None, "{key}");
        } else {
            // Some cases read into a buffer that is too short; what fits is what there is.
            let mut value = value.unwrap();
            if has(case, "dest_buffer_size") {
                value.truncate(number(case, "dest_buffer_size") as usize - 1);
            }
            assert_eq!(hex::encode(value), text(entry, "value"), "{key}");
        }
        let number = dictionary.hex(key).unwrap_or(0xdef_a017);
        assert_eq!(number, hex_number(entry, "as_unsigned_hex"), "{key}");
        let boolean = dictionary.bool(key).unwrap_or(false);
        assert_eq!(boolean, flag(entry, "as_bool_default_false"), "{key}");
    }
    for (field, key) in [("neg_as_i64", "neg"), ("pos_as_i64", "pos")] {
        if has(case, field) {
            assert_eq!(dictionary.signed_hex(key), case[field].as_i64());
        }
    }
}
