//! Pages of lists.

use minicbor::Decode;

use super::Fields;
use crate::{
    grpc::tokens::{self, Owner},
    limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX},
};

/// Which page of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::grpc) struct Page<C> {
    /// How many items it holds at the most.
    pub(in crate::grpc) size: usize,
    /// Where it begins; nothing for the first page.
    pub(in crate::grpc) cursor: Option<C>,
    /// What its tokens belong to.
    pub(in crate::grpc) owner: Owner,
}

/// The fields of a request that say which page.
#[derive(Clone, Copy, Debug)]
pub(in crate::grpc) struct PageFields<'a> {
    /// `page_size`.
    pub(in crate::grpc) size: i32,
    /// `page_token`.
    pub(in crate::grpc) token: &'a str,
    /// What the token has to belong to.
    pub(in crate::grpc) owner: Owner,
}

/// How many items a page may hold.
#[derive(Clone, Copy, Debug)]
pub(in crate::grpc) struct PageSizes {
    /// If the caller does not say.
    pub(in crate::grpc) default: usize,
    /// At the most; more is read as this.
    pub(in crate::grpc) max: usize,
}

impl Fields {
    /// Which page is asked for.
    pub(in crate::grpc) fn page<C>(&mut self, page: PageFields<'_>) -> Page<C>
    where
        C: for<'b> Decode<'b, ()>,
    {
        let sizes = PageSizes {
            default: PAGE_SIZE_DEFAULT,
            max: PAGE_SIZE_MAX,
        };
        self.page_of(page, sizes)
    }

    /// Which page is asked for, of pages with sizes of their own.
    pub(in crate::grpc) fn page_of<C>(&mut self, page: PageFields<'_>, sizes: PageSizes) -> Page<C>
    where
        C: for<'b> Decode<'b, ()>,
    {
        let PageFields { size, token, owner } = page;
        let size = match usize::try_from(size) {
            Ok(0) => sizes.default,
            Ok(size) => size.min(sizes.max),
            Err(_) => {
                self.refuse("page_size", super::fields::NOT_NEGATIVE);
                sizes.default
            }
        };
        let cursor = tokens::parse_page(token, owner).unwrap_or_else(|problem| {
            self.refuse("page_token", problem);
            None
        });
        Page {
            size,
            cursor,
            owner,
        }
    }
}
