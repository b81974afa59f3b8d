//! What all services share: how a call goes to the engine and comes back, and
//! how an account is looked at.

use std::{borrow::Cow, sync::Arc, time::Instant};

use ledger_core::{Account, Context, Name, Rejection, account::Status, decide::at_present};
use tonic::{Request, Status as Answered};

use super::{
    names::AccountName,
    parse::{self, Batch, Caller, Enveloped, ParsedBatch, ReadCommand, Reading},
    render::Done,
    status,
    tokens::Consistency,
};
use crate::{
    engine::{Answer, Engine, ItemError, Snapshot},
    projections::Index,
};

/// What all services share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Edge {
    /// The engine.
    pub(super) engine: Engine,
    /// The index of events.
    pub(super) index: Index,
}

/// The answer to a mutation.
#[derive(Debug)]
pub(super) struct Applied {
    name: AccountName,
    answer: Answer,
}

impl Applied {
    /// Whether the request had been applied before.
    pub(super) const fn is_replayed(&self) -> bool {
        self.answer.replayed
    }

    /// For rendering.
    pub(super) fn done(&self) -> Done<'_> {
        Done {
            book: self.name.book(),
            answer: &self.answer,
        }
    }
}

/// The answers to the items of a batch call.
pub(super) struct AppliedBatch {
    book: String,
    items: Vec<(Name, Result<Answer, ItemError>)>,
}

impl AppliedBatch {
    /// Renders each item: its answer, or its error.
    pub(super) fn render<T>(
        &self,
        answer: impl Fn(Done<'_>) -> Result<T, Answered>,
        error: impl Fn(tonic_types::Status) -> T,
    ) -> Result<Vec<T>, Answered> {
        let book = self.book.as_str();
        let render = |(account, result): &(Name, Result<Answer, ItemError>)| match result {
            Ok(found) => answer(Done {
                book,
                answer: found,
            }),
            Err(failure) => Ok(error(status::into_message(&status::item(
                failure, book, account,
            )))),
        };
        self.items.iter().map(render).collect()
    }
}

/// An account, looked at.
pub(super) struct Look {
    /// The account's name.
    pub(super) name: AccountName,
    /// When and where it was looked at.
    pub(super) snapshot: Snapshot,
    /// The account as its events made it.
    pub(super) account: Arc<Account>,
}

impl Look {
    /// Whether the account does not exist.
    pub(super) fn is_not_opened(&self) -> bool {
        self.account.status == Status::NotOpened
    }

    /// What decisions at this moment depend on.
    pub(super) fn context(&self) -> Context<'_> {
        context(self.name.book(), &self.snapshot)
    }

    /// The account as it is at this moment.
    pub(super) fn present(&self) -> Cow<'_, Account> {
        present(&self.name, &self.account, &self.context())
    }
}

/// What decisions at the moment of a snapshot depend on.
pub(super) fn context<'a>(book: &'a str, snapshot: &'a Snapshot) -> Context<'a> {
    Context {
        book,
        now: snapshot.now,
        catalog: &snapshot.catalog.catalog,
        catalog_version: snapshot.catalog.version,
        next_position: snapshot.head.position.saturating_add(1),
    }
}

/// An account as it is at the context's time. The book's own accounts get no
/// opening grants.
pub(super) fn present<'a>(
    name: &AccountName,
    account: &'a Account,
    context: &Context<'_>,
) -> Cow<'a, Account> {
    at_present(name.account(), account, context)
}

impl Edge {
    /// Carries a mutation out.
    pub(super) async fn mutate<R: Enveloped>(
        &self,
        request: Request<R>,
        read: ReadCommand<R>,
    ) -> Result<Applied, Answered> {
        let caller = Caller::of(&request);
        let now = self.engine.now();
        let (name, call) = parse::mutation(request.into_inner(), caller, now, read)?;
        let results = self.engine.call(name.book(), call).await;
        let mut results = results.map_err(|error| status::engine(&error, name.book()))?;
        match results.pop() {
            Some(Ok(answer)) => Ok(Applied { name, answer }),
            Some(Err(error)) => Err(status::item(&error, name.book(), name.account())),
            None => Err(status::incomplete("the result of a call")),
        }
    }

    /// Carries a batch call out.
    pub(super) async fn mutate_batch<R, M>(
        &self,
        request: Request<M>,
        read: ReadCommand<R>,
    ) -> Result<AppliedBatch, Answered>
    where
        R: Enveloped,
        Batch<R>: From<M>,
    {
        let caller = Caller::of(&request);
        let now = self.engine.now();
        let parsed = parse::batch(Batch::from(request.into_inner()), caller, now, read)?;
        let ParsedBatch {
            book,
            accounts,
            call,
        } = parsed;
        let results = self.engine.call(&book, call).await;
        let results = results.map_err(|error| status::engine(&error, &book))?;
        if results.len() != accounts.len() {
            return Err(status::incomplete("results of a batch call"));
        }
        Ok(AppliedBatch {
            book,
            items: accounts.into_iter().zip(results).collect(),
        })
    }

    /// Looks at an account that a read asks about.
    ///
    /// # Errors
    /// It does not exist, and the catalog does not open accounts on first use.
    pub(super) async fn look(&self, reading: Reading) -> Result<Look, Answered> {
        let look = self.look_at_any(reading).await?;
        check_exists(&look.name, &look.account, &look.snapshot)?;
        Ok(look)
    }

    /// Looks at many accounts of a book at one moment.
    pub(super) async fn look_at_all(
        &self,
        book: &str,
        names: Vec<AccountName>,
        token: Option<Consistency>,
        deadline: Instant,
    ) -> Result<Vec<Look>, Answered> {
        let wanted = names.iter().map(|name| name.account().into()).collect();
        let snapshot = self.snapshot(book, wanted, token, deadline).await?;
        if snapshot.accounts.len() != names.len() {
            return Err(status::incomplete("accounts of a read"));
        }
        let mut looks = Vec::with_capacity(names.len());
        for (name, account) in names.into_iter().zip(&snapshot.accounts) {
            check_exists(&name, account, &snapshot)?;
            let snapshot = Snapshot {
                catalog: Arc::clone(&snapshot.catalog),
                accounts: Vec::new(),
                ..snapshot
            };
            looks.push(Look {
                name,
                snapshot,
                account: Arc::clone(account),
            });
        }
        Ok(looks)
    }

    /// A look at accounts that sees at least the write of `token`.
    pub(super) async fn snapshot(
        &self,
        book: &str,
        accounts: Vec<Name>,
        token: Option<Consistency>,
        deadline: Instant,
    ) -> Result<Snapshot, Answered> {
        let snapshot = self.engine.read(book, accounts, Some(deadline)).await;
        let snapshot = snapshot.map_err(|error| status::engine(&error, book))?;
        if let Some(token) = token {
            token
                .check(&snapshot.head)
                .map_err(|error| status::engine(&error, book))?;
        }
        Ok(snapshot)
    }

    /// Looks at an account, whether it exists or not.
    pub(super) async fn look_at_any(&self, reading: Reading) -> Result<Look, Answered> {
        let Reading {
            name,
            token,
            deadline,
        } = reading;
        let wanted = vec![name.account().into()];
        let snapshot = self.snapshot(name.book(), wanted, token, deadline).await?;
        let account = snapshot.accounts.first().map(Arc::clone);
        let account = account.ok_or_else(|| status::incomplete("an account of a read"))?;
        Ok(Look {
            name,
            snapshot,
            account,
        })
    }
}

/// An account that does not exist is an error of a read, unless the catalog
/// would open it.
pub(super) fn check_exists(
    name: &AccountName,
    account: &Account,
    snapshot: &Snapshot,
) -> Result<(), Answered> {
    let would_open = snapshot.catalog.catalog.open_on_first_use && !name.is_reserved();
    if account.status != Status::NotOpened || would_open {
        return Ok(());
    }
    let rejection = Rejection::AccountNotFound {
        account: name.account().to_owned(),
    };
    Err(status::rejected(&rejection, name.book(), name.account()))
}
