//! As much of XML as devices use to describe themselves and to answer.
//!
//! A document is read front to back. Nothing is kept of it but the names of the elements that are
//! open, and whatever is returned borrows from it.

use crate::limits::UPNP_XML_DEPTH_MAX;

/// The document is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Malformed;

/// What comes next in a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Item<'a> {
    /// A text other than space, which is cut off at both ends. References to characters (`&amp;`)
    /// are in it as they were written.
    Text(&'a str),
    /// The element of this name has ended; [`Reader::path`] is that of what it was in.
    End(&'a str),
}

/// Reads a document.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a str,
    open: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(document: &'a str) -> Self {
        Self { rest: document, open: Vec::new() }
    }

    /// Returns the names, without prefixes, of the elements that are open, the outermost first.
    pub(super) fn path(&self) -> &[&'a str] {
        &self.open
    }

    /// Returns what comes next; `None` at the document's end.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if elements do not end in the order they began, if more than
    /// [`UPNP_XML_DEPTH_MAX`] are open, for text outside of all of them, and for declarations,
    /// which no device needs.
    pub(super) fn next(&mut self) -> Result<Option<Item<'a>>, Malformed> {
        while !self.rest.is_empty() {
            let item = if self.takes("<![CDATA[") {
                text(self.up_to("]]>")?)
            } else if self.takes("<!--") {
                self.up_to("-->")?;
                None
            } else if self.takes("<?") {
                self.up_to("?>")?;
                None
            } else if self.takes("<!") {
                return Err(Malformed);
            } else if self.takes("</") {
                let name = local(self.up_to(">")?.trim_ascii_end());
                Some(self.end(name)?)
            } else if self.takes("<") {
                self.begin()?
            } else {
                let len = self.rest.find('<').unwrap_or(self.rest.len());
                let (before, rest) = self.rest.split_at(len);
                self.rest = rest;
                text(before)
            };
            match item {
                Some(Item::Text(_)) if self.open.is_empty() => return Err(Malformed),
                Some(item) => return Ok(Some(item)),
                None => {}
            }
        }
        if self.open.is_empty() { Ok(None) } else { Err(Malformed) }
    }

    /// Reads a tag from its name on. If it begins and ends an element, that has ended.
    fn begin(&mut self) -> Result<Option<Item<'a>>, Malformed> {
        let tag = self.tag()?;
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = local(tag.split_ascii_whitespace().next().ok_or(Malformed)?);
        if name.is_empty() || self.open.len() == UPNP_XML_DEPTH_MAX {
            return Err(Malformed);
        }
        self.open.push(name);
        is_empty.then(|| self.end(name)).transpose()
    }

    /// Takes the rest of a tag, which ends at the first `>` outside of quotes.
    fn tag(&mut self) -> Result<&'a str, Malformed> {
        let mut quote = None;
        let end = self.rest.find(|c| match (quote, c) {
            (None, '>') => true,
            (None, '"' | '\'') => {
                quote = Some(c);
                false
            }
            (Some(begun), _) if begun == c => {
                quote = None;
                false
            }
            _ => false,
        });
        let (tag, rest) = self.rest.split_at(end.ok_or(Malformed)?);
        self.rest = &rest[1..];
        Ok(tag)
    }

    fn end(&mut self, name: &'a str) -> Result<Item<'a>, Malformed> {
        if self.open.pop() == Some(name) { Ok(Item::End(name)) } else { Err(Malformed) }
    }

    /// Takes `what`, if that is next.
    fn takes(&mut self, what: &str) -> bool {
        let rest = self.rest.strip_prefix(what);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes everything up to `end`, and `end`; returns what was before it.
    fn up_to(&mut self, end: &str) -> Result<&'a str, Malformed> {
        let (before, rest) = self.rest.split_once(end).ok_or(Malformed)?;
        self.rest = rest;
        Ok(before)
    }
}

fn text(text: &str) -> Option<Item<'_>> {
    let text = text.trim_ascii();
    (!text.is_empty()).then_some(Item::Text(text))
}

/// Returns a name without the prefix that stands for its namespace.
fn local(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, local)| local)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DOCUMENT: &str = "<?xml version=\"1.0\"?>\n<root xmlns='urn:a' b=\"> '\"> <!-- <c> -->\
        <u:d>\n one &amp; two </u:d><e/><f  /><![CDATA[ <three> ]]></root\n>";

    /// Each item with the path after it.
    fn read(document: &str) -> Result<Vec<(Item<'_>, String)>, Malformed> {
        let mut reader = Reader::new(document);
        let mut items = Vec::new();
        while let Some(item) = reader.next()? {
            items.push((item, reader.path().join("/")));
        }
        Ok(items)
    }

    #[test]
    fn texts_and_ends_are_found_between_all_that_is_skipped() {
        let expected = [
            (Item::Text("one &amp; two"), "root/d"),
            (Item::End("d"), "root"),
            (Item::End("e"), "root"),
            (Item::End("f"), "root"),
            (Item::Text("<three>"), "root"),
            (Item::End("root"), ""),
        ];

        assert_eq!(read(DOCUMENT).unwrap(), expected.map(|(item, path)| (item, path.to_owned())));
    }

    #[test]
    fn every_part_of_a_document_from_its_beginning_is_refused() {
        for len in DOCUMENT.find("<root").unwrap() + 1..DOCUMENT.len() {
            assert_eq!(read(&DOCUMENT[..len]), Err(Malformed), "{}", &DOCUMENT[..len]);
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        for document in [
            "<a></b>",
            "<a><b></a></b>",
            "</a>",
            "<a/></a>",
            "<>",
            "< />",
            "</>",
            "<u:/>",
            "text",
            "<a/>text",
            "<!DOCTYPE a><a/>",
            "<a b='></a>",
        ] {
            assert_eq!(read(document), Err(Malformed), "{document}");
        }
    }

    #[test]
    fn elements_are_in_each_other_up_to_a_bound() {
        let nested = |depth| "<a>".repeat(depth) + &"</a>".repeat(depth);

        assert_eq!(read(&nested(UPNP_XML_DEPTH_MAX)).unwrap().len(), UPNP_XML_DEPTH_MAX);
        assert_eq!(read(&nested(UPNP_XML_DEPTH_MAX + 1)), Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_document_panics(document in "[<>/!?a:'\" -]{0,60}|.{0,60}") {
            let _ = read(&document);
        }
    }
}
