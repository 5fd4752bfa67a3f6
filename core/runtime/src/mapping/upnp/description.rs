//! What a device says of itself: devices within devices, and services each of them has.

use super::http::Location;
use super::xml::{Item, Reader};

/// The services that map ports, as devices name them and as they are to be called.
const SERVICES: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/// A service that maps ports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Service {
    /// Its type, one of those known.
    pub(super) name: &'static str,
    /// Where it is called.
    pub(super) control: Location,
}

impl Service {
    /// Returns the first of the services described by `document`, found at `location`; `None` if
    /// there is none, or none on the same machine.
    pub(super) fn read(document: &str, location: &Location) -> Option<Self> {
        let mut reader = Reader::new(document);
        let mut base = location.clone();
        let (mut name, mut control) = (None, None);
        while let Some(item) = reader.next().ok()? {
            match (item, reader.path()) {
                (Item::Text(url), ["root", "URLBase"]) => base = location.join(url)?,
                (Item::Text(text), [.., "service", "serviceType"]) => {
                    name = SERVICES.into_iter().find(|&service| service == text);
                }
                (Item::Text(url), [.., "service", "controlURL"]) => {
                    control = base.join(&url.replace("&amp;", "&"));
                }
                (Item::End("service"), _) => {
                    if let (Some(name), Some(control)) = (name.take(), control.take()) {
                        return Some(Self { name, control });
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn location(url: &str) -> Location {
        Location::read(url).unwrap()
    }

    fn described(base: &str, services: &[(&str, &str)]) -> Option<String> {
        let service = |(name, url): &(&str, &str)| {
            format!(
                "<service><serviceType>urn:schemas-upnp-org:service:{name}</serviceType>\
                 <controlURL>{url}</controlURL></service>"
            )
        };
        let services: String = services.iter().map(service).collect();
        let document = format!(
            "<root>{base}<device><serviceList/><deviceList><device><serviceList>{services}\
             </serviceList></device></deviceList></device></root>"
        );
        let service = Service::read(&document, &location("http://192.0.2.1:5000/a/b.xml"))?;
        Some(format!("{} {:?}", service.name, service.control))
    }

    fn expected(service: &str, control: &str) -> Option<String> {
        let control = location(control);
        Some(format!("urn:schemas-upnp-org:service:{service} {control:?}"))
    }

    #[test]
    fn the_first_service_that_maps_ports_is_found() {
        let found = described(
            "",
            &[
                ("Layer3Forwarding:1", "/no"),
                ("WANPPPConnection:1", "/ppp?a=b&amp;c=d"),
                ("WANIPConnection:1", "/ip"),
            ],
        );

        assert_eq!(found, expected("WANPPPConnection:1", "http://192.0.2.1:5000/ppp?a=b&c=d"));
        assert_eq!(described("", &[("Layer3Forwarding:1", "/no")]), None);
    }

    #[test]
    fn a_base_says_where_references_begin_but_names_no_other_machine() {
        let services = [("WANIPConnection:2", "ip")];

        let found = described("<URLBase>http://192.0.2.1:81/c/</URLBase>", &services);
        assert_eq!(found, expected("WANIPConnection:2", "http://192.0.2.1:81/c/ip"));
        assert_eq!(described("<URLBase>http://192.0.2.2:81/</URLBase>", &services), None);
        assert_eq!(described("", &[("WANIPConnection:1", "http://192.0.2.2/ip")]), None);
    }

    proptest! {
        #[test]
        fn no_document_panics(
            document in "(<root>|<URLBase>|<service>|<serviceType>|<controlURL>|</service>|</root>|[a:/<>]){0,20}",
        ) {
            let _ = Service::read(&document, &location("http://192.0.2.1/"));
        }
    }
}
