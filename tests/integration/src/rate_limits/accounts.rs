//! Log-ins of one account: guesses are limited, and nobody is locked out by somebody else's.

use super::{Client, Told, client, start};
use crate::platform::Platform;

crate::tests![
    wrong_passwords_are_limited_by_account_and_address,
    an_attacked_account_is_open_to_its_owner,
    an_account_is_known_at_an_address_for_thirty_days,
    a_log_in_costs_three_writes,
];

async fn wrong_passwords_are_limited_by_account_and_address(_shared: &Platform) {
    let (platform, clock) = start(&[("LogInsPerAccountAndIpPerHour", 2)]).await;
    let (user, other) = (platform.sign_up().await, platform.sign_up().await);
    let (somebody, elsewhere) = (client(&platform, 2), client(&platform, 3));
    somebody.guesses(&user).await;
    somebody.guesses(&user).await;
    assert_eq!(somebody.is_shut_out_of(&user).await.retry_after, Some(1800));
    // From there another account is open, and this one from elsewhere.
    somebody.gets_in(&other).await;
    elsewhere.gets_in(&user).await;
    // Who knows the password is never counted out, and has all tries again.
    clock.advance(1800);
    for _ in 0..5 {
        somebody.gets_in(&user).await;
    }
    somebody.guesses(&user).await;
    somebody.guesses(&user).await;
    somebody.is_shut_out_of(&user).await;
    platform.shut_down().await;
}

async fn an_attacked_account_is_open_to_its_owner(_shared: &Platform) {
    let limits = [("LogInsPerAccountAndIpPerHour", 3), ("LogInsPerAccountPerHour", 4)];
    let (platform, clock) = start(&limits).await;
    // Logs in from 127.0.0.1, which counts for one.
    let user = platform.sign_up().await;
    let (home, abroad) = (client(&platform, 1), client(&platform, 9));
    for host in 2..5 {
        client(&platform, host).guesses(&user).await;
    }
    // The account is used up, from wherever it is not known.
    for host in 2..9 {
        client(&platform, host).is_shut_out_of(&user).await;
    }
    for _ in 0..10 {
        home.gets_in(&user).await;
    }
    // Of somebody else at home, too, only as much is taken as from anywhere.
    home.guesses(&user).await;
    let told = abroad.is_shut_out_of(&user).await;
    assert_eq!(told, Told { limit: 4, remaining: 0, reset: 900, retry_after: Some(900) });

    // The owner comes in from elsewhere as soon as there is room, and is known there then, whatever goes on.
    clock.advance(900);
    abroad.gets_in(&user).await;
    client(&platform, 2).is_shut_out_of(&user).await;
    for _ in 0..5 {
        abroad.gets_in(&user).await;
    }
    platform.shut_down().await;
}

async fn an_account_is_known_at_an_address_for_thirty_days(_shared: &Platform) {
    const DAY: u64 = 86_400;
    let (platform, clock) = start(&[("LogInsPerAccountPerHour", 1)]).await;
    let user = platform.sign_up().await;
    let (home, abroad) = (client(&platform, 1), client(&platform, 2));
    clock.advance(20 * DAY);
    home.gets_in(&user).await;
    clock.advance(20 * DAY);
    abroad.guesses(&user).await;
    home.gets_in(&user).await;
    clock.advance(31 * DAY);
    abroad.guesses(&user).await;
    assert_eq!(home.is_shut_out_of(&user).await.retry_after, Some(3600));
    platform.shut_down().await;
}

async fn a_log_in_costs_three_writes(_shared: &Platform) {
    let (platform, clock) = start(&[("LogInsPerAccountAndIpPerHour", 100)]).await;
    let user = platform.sign_up().await;
    clock.advance(3600);
    let writes = async |client: &Client<'_>| {
        let sequence = platform.calls().sequence();
        client.gets_in(&user).await;
        platform.calls().since(sequence).iter().filter(|call| call.operation == "UpdateItem").count()
    };
    let (home, abroad) = (client(&platform, 1), client(&platform, 2));
    assert_eq!(writes(&home).await, 3, "one for each limit");
    assert_eq!(writes(&home).await, 6, "two where there was one a moment ago");
    assert_eq!(writes(&abroad).await, 5, "and that the account is known there");
    clock.advance(60);
    assert_eq!(writes(&abroad).await, 3);
    clock.advance(2 * 86_400);
    assert_eq!(writes(&home).await, 4, "known anew now and then");
    platform.shut_down().await;
}
