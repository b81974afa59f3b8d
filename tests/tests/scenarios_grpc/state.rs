//! What the reads of the API say of an account, as the lines that scenarios
//! expect.

use ledger_proto::v1::{
    AssetAmount, GetAccountStatisticsRequest, GetBalanceRequest, ListLotsRequest,
    account_service_client::AccountServiceClient,
};
use tonic::{Status, transport::Channel};

use crate::{
    answer::{at, id, paid},
    language::teller::State,
    unsaid,
};

/// More lots than any scenario has.
const PAGE: i32 = 1_000;

/// What the line should say.
pub(crate) async fn line(channel: Channel, book: &str, state: &State) -> Result<String, Status> {
    let mut accounts = AccountServiceClient::new(channel);
    let account = format!("books/{book}/accounts/{}", state.account);
    let told = match state.what.as_str() {
        "balance" => balance(&mut accounts, account).await?,
        "lots" => lots(&mut accounts, account).await?,
        "done" => done(&mut accounts, account).await?,
        _ => totals(&mut accounts, account, &state.asset).await?,
    };
    let asset = match state.asset.as_str() {
        "" => String::new(),
        asset => format!(" {asset}"),
    };
    Ok(format!("{} {}{asset}: {told}", state.what, state.account))
}

type Accounts = AccountServiceClient<Channel>;

fn or_nothing(items: &[String]) -> String {
    if items.is_empty() {
        "nothing".to_owned()
    } else {
        items.join(", ")
    }
}

async fn balance(accounts: &mut Accounts, account: String) -> Result<String, Status> {
    let request = GetBalanceRequest {
        account,
        ..Default::default()
    };
    let response = accounts.get_balance(request).await?.into_inner();
    let mut balances = response.balances;
    balances.retain(|it| (it.balance, it.held, it.deficit) != (0, 0, 0));
    let items = balances.iter().map(|it| {
        assert_eq!(it.available, it.balance + it.deficit - it.held, "{it:?}");
        let of = |word: &str, amount: i64| match amount {
            0 => String::new(),
            amount => format!(" ({amount} {word})"),
        };
        let (held, owed) = (of("held", it.held), of("owed", it.deficit));
        format!("{} {}{held}{owed}", it.balance, it.asset)
    });
    Ok(or_nothing(&items.collect::<Vec<_>>()))
}

async fn lots(accounts: &mut Accounts, account: String) -> Result<String, Status> {
    let request = ListLotsRequest {
        account,
        page_size: PAGE,
        ..Default::default()
    };
    let response = accounts.list_lots(request).await?.into_inner();
    assert!(response.next_page_token.is_empty());
    // The scenarios tell of what can be spent, so without what is held.
    let mut free = response.lots;
    free.retain(|lot| lot.remaining_amount > lot.held_amount);
    let items = free.iter().map(|lot| {
        let until = match &lot.expire_time {
            None => String::new(),
            end => format!(" until {}", at(end.as_ref())),
        };
        let paid = match (&lot.cost_basis, lot.held_amount) {
            (Some(_), 1..) => unsaid::PAID_WITH_HELD.to_owned(),
            (basis, _) => paid(basis.as_ref()),
        };
        format!(
            "{} {} of #{}{paid}{until}",
            lot.remaining_amount - lot.held_amount,
            lot.asset,
            id(&lot.name),
        )
    });
    Ok(or_nothing(&items.collect::<Vec<_>>()))
}

async fn done(accounts: &mut Accounts, account: String) -> Result<String, Status> {
    let request = GetAccountStatisticsRequest {
        account,
        ..Default::default()
    };
    let response = accounts.get_account_statistics(request).await?.into_inner();
    let mut counts = response.operations_by_type;
    counts.retain(|it| it.count != 0);
    counts.sort_by(|a, b| a.operation.cmp(&b.operation));
    let items = counts
        .iter()
        .map(|it| format!("{} {}", it.count, it.operation));
    Ok(or_nothing(&items.collect::<Vec<_>>()))
}

async fn totals(accounts: &mut Accounts, account: String, asset: &str) -> Result<String, Status> {
    let request = GetAccountStatisticsRequest {
        account,
        ..Default::default()
    };
    let told = accounts.get_account_statistics(request).await?.into_inner();
    let of = |amounts: &[AssetAmount]| {
        let mut amounts = amounts.iter();
        amounts
            .find(|it| it.asset == asset)
            .map_or(0, |it| it.amount)
    };
    Ok(format!(
        "spent {}, bought {}, granted {}, refunded {}",
        of(&told.spent),
        of(&told.bought),
        of(&told.granted),
        of(&told.refunded)
    ))
}
