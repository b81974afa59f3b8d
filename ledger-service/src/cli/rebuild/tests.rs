//! Rebuilding with fewer states in memory than there are accounts.

use std::collections::BTreeMap;

use ledger_core::{
    Command, Request, RequestId,
    command::{Adjust, ApplyCatalog, Change},
    event::{Annotations, HOUSE},
};

use super::rebuild_book;
use crate::{
    engine::{Call, CallOptions, Clock, Engine},
    store::{Address, Mode, connect},
};

const CATALOG: &str = include_str!("../../../catalogs/media-lab.toml");
const BOOK: &str = "media-lab";

fn request(account: &str, number: u8, command: Command) -> Request {
    Request {
        account: account.into(),
        request_id: Some(RequestId([number; 16])),
        origin: "test".into(),
        annotations: Annotations::default(),
        expires_at: None,
        command,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_that_were_written_down_are_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}/ledger.db", directory.path().display());
    let address = Address::parse(&url).unwrap();
    let store = connect(&address, Mode::Serve).await.unwrap();
    store.create_book(BOOK).await.unwrap();
    let engine = Engine::new(store.clone(), Clock::system());
    let apply = Command::ApplyCatalog(ApplyCatalog {
        text: CATALOG.to_owned(),
        overrides: BTreeMap::new(),
        expected_version: None,
    });
    let mut requests = vec![request(HOUSE, 0, apply)];
    // More events than a rebuild reads at once, so that all accounts go on in
    // its second chunk.
    for number in 1..=120 {
        for account in 0..50 {
            let add = Command::Adjust(Adjust {
                asset: "RUB".into(),
                change: Change::Delta(i64::from(number)),
            });
            requests.push(request(&format!("tg:{account}"), number, add));
        }
    }
    for chunk in requests.chunks(500) {
        let call = Call {
            requests: chunk.to_vec(),
            options: CallOptions::default(),
        };
        for answer in engine.call(BOOK, call).await.unwrap() {
            answer.unwrap();
        }
    }
    engine.shut_down().await;
    let states = store.accounts_after(BOOK, "", 1_000).await.unwrap();
    let applied = store.requests_after(BOOK, None, 10_000).await.unwrap();
    assert_eq!((states.len(), applied.len()), (51, 6_001));

    for accounts_max in [0, 10, 1_000] {
        rebuild_book(&store, BOOK, accounts_max).await.unwrap();
        let rebuilt = store.accounts_after(BOOK, "", 1_000).await.unwrap();
        assert!(rebuilt == states, "with {accounts_max} in memory");
        let rebuilt = store.requests_after(BOOK, None, 10_000).await.unwrap();
        assert!(rebuilt == applied, "with {accounts_max} in memory");
    }
}
