//! Where problems are, and the list of all that were found.

use toml::de::Error;

use super::nearest::nearest;
use super::problem::{Problem, Problems};
use super::shape::Shape;

/// Where something stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The byte at which it begins.
    offset: usize,
    /// Its keys from the root.
    path: String,
}

impl Place {
    /// The whole text.
    pub(super) fn root() -> Self {
        Self {
            offset: 0,
            path: String::new(),
        }
    }

    /// A key of the table that stands here; `offset` is where to point at.
    pub(super) fn key(&self, key: &str, offset: usize) -> Self {
        let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let key = if !key.is_empty() && key.bytes().all(bare) {
            key.to_owned()
        } else {
            format!("{key:?}")
        };
        let path = if self.path.is_empty() {
            key
        } else {
            format!("{}.{key}", self.path)
        };
        Self { offset, path }
    }

    /// A key that is not given, of the table that stands here.
    pub(super) fn member(&self, key: &str) -> Self {
        self.key(key, self.offset)
    }

    /// An item of the array that stands here.
    pub(super) fn item(&self, index: usize, offset: usize) -> Self {
        Self {
            offset,
            path: format!("{}[{index}]", self.path),
        }
    }
}

/// The problems found so far.
#[derive(Debug)]
pub(super) struct Report {
    /// The bytes at which lines begin, ascending.
    line_starts: Vec<usize>,
    /// The problems with the bytes that they point at.
    found: Vec<(usize, Problem)>,
}

impl Report {
    /// Nothing is wrong yet with this text.
    pub(super) fn new(text: &str) -> Self {
        let after_newline = |(index, _): (usize, &str)| index.saturating_add(1);
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(after_newline))
            .collect();
        Self {
            line_starts,
            found: Vec::new(),
        }
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How much is wrong.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// Says that something is wrong at a place.
    pub(super) fn add(&mut self, place: &Place, message: impl Into<String>) {
        self.push(place.offset, place.path.clone(), message.into());
    }

    /// Says that the name of something known is not one of `known`.
    pub(super) fn unknown<'k>(
        &mut self,
        place: &Place,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let message = match nearest(name, known) {
            Some(near) => format!("{what}; did you mean {near}?"),
            None => what.to_owned(),
        };
        self.add(place, message);
    }

    /// Says so if a text has not its shape; gives whether it has.
    pub(super) fn shape(&mut self, text: &str, shape: &Shape, place: &Place) -> bool {
        let fits = (shape.fits)(text);
        if !fits {
            self.add(place, format!("must be {}", shape.description));
        }
        fits
    }

    /// Says that the text is too long to be read.
    pub(super) fn too_long(&mut self, bytes_max: usize) {
        self.push(
            0,
            String::new(),
            format!("the catalog must be {bytes_max} bytes or less"),
        );
    }

    /// Says what TOML itself finds wrong. Gives whether the tree can be read
    /// nevertheless: a key that is given twice does not hide the others.
    pub(super) fn syntax(&mut self, text: &str, errors: &[Error]) -> bool {
        let mut sound = true;
        for error in errors {
            let span = error.span().unwrap_or_default();
            let offset = span.start;
            if error.message() == "duplicate key" {
                let key = text.get(span).unwrap_or_default();
                self.push(offset, key.to_owned(), "given twice".to_owned());
            } else {
                sound = false;
                self.push(
                    offset,
                    String::new(),
                    format!("not valid TOML: {}", error.message()),
                );
            }
        }
        sound
    }

    /// Everything, in the order of lines.
    pub(super) fn into_problems(mut self) -> Problems {
        self.found.sort_by_key(|(offset, _)| *offset);
        Problems::new(self.found.into_iter().map(|(_, problem)| problem).collect())
    }

    fn push(&mut self, offset: usize, path: String, message: String) {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        self.found.push((
            offset,
            Problem {
                line,
                path,
                message,
            },
        ));
    }
}
