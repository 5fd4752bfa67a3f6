//! Calls of a service's actions, by the UPnP Device Architecture 1.1, §3.

use std::io;

use super::http::{self, Answer, Location};
use super::xml::{Item, Reader};

/// Why there is no answer to a call.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The device says no, with this code; 0 if it gives none.
    #[error("refused with code {0}")]
    Refused(u16),
    /// Nothing comes that could be read.
    #[error(transparent)]
    Unanswered(#[from] io::Error),
}

/// Calls `action` of `service` at `control`; returns the answer's document.
///
/// The arguments' values must have no `<` and no `&` in them.
///
/// # Errors
///
/// [`Failure`].
pub(super) async fn call(
    control: &Location,
    service: &str,
    action: &str,
    arguments: &[(&str, &str)],
) -> Result<String, Failure> {
    let name = format!("{service}#{action}");
    let Answer { status, body } =
        http::post(control, &name, &envelope(service, action, arguments)).await?;
    match status {
        200 => Ok(body),
        _ => Err(Failure::Refused(
            text_of(&body, "errorCode").and_then(|code| code.parse().ok()).unwrap_or(0),
        )),
    }
}

fn envelope(service: &str, action: &str, arguments: &[(&str, &str)]) -> String {
    let arguments: String =
        arguments.iter().map(|(name, value)| format!("<{name}>{value}</{name}>")).collect();
    format!(
        "<?xml version=\"1.0\"?>\r\n\
         <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>\
         <u:{action} xmlns:u=\"{service}\">{arguments}</u:{action}></s:Body></s:Envelope>\r\n"
    )
}

/// Returns the text of the first element of this name; what comes after it is not looked at.
pub(super) fn text_of<'a>(document: &'a str, element: &str) -> Option<&'a str> {
    let mut reader = Reader::new(document);
    while let Some(item) = reader.next().ok()? {
        if let Item::Text(text) = item
            && reader.path().last() == Some(&element)
        {
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_an_envelope_around_the_arguments_in_order() {
        let envelope = envelope("urn:a", "Act", &[("B", "1"), ("C", "")]);

        assert!(
            envelope.contains("<u:Act xmlns:u=\"urn:a\"><B>1</B><C></C></u:Act>"),
            "{envelope}"
        );
        assert_eq!(text_of(&envelope, "B"), Some("1"));
        assert_eq!(text_of(&envelope, "C"), None);
    }

    #[test]
    fn a_text_is_found_wherever_it_is() {
        let fault = "<s:Envelope><s:Body><s:Fault><detail><UPnPError><errorCode>718</errorCode>\
                     </UPnPError></detail></s:Fault></s:Body></s:Envelope>";

        assert_eq!(text_of(fault, "errorCode"), Some("718"));
        assert_eq!(text_of(fault, "errorDescription"), None);
        assert_eq!(text_of("<a>no XML", "b"), None);
    }
}
