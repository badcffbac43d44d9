//! Views of whoever plays by a stream token: the platform counts them itself.

use std::time::Duration;

use local::aws::Answer;
use reqwest::{Method, StatusCode};

use super::{log, numbers, ready};
use crate::platform::{Item, Platform, User, expect};

crate::tests![what_is_played_counts_once_a_token_and_day, it_plays_whether_the_view_is_recorded_or_not];

async fn stream_url(platform: &Platform, viewer: &User, media_id: &str) -> String {
    let path = format!("/media/{media_id}/stream-url?expires_in=86400");
    let urls = expect(platform.get(viewer, &path).await, StatusCode::OK).await;
    urls["stream_url"].as_str().unwrap().to_owned()
}

async fn play(platform: &Platform, method: Method, url: &str) {
    let request = platform.http.request(method, url).header("user-agent", "player/1.0");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::FOUND);
}

async fn what_is_played_counts_once_a_token_and_day(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (owner, media_id) = ready(&platform).await;
    let (ada, grace) = (platform.sign_up().await, platform.sign_up().await);
    let url = stream_url(&platform, &ada, &media_id).await;
    play(&platform, Method::HEAD, &url).await;
    play(&platform, Method::GET, &format!("{url}&download=1")).await;
    assert_eq!(
        numbers(&platform, &owner, &media_id).await,
        [0; 4],
        "nobody sees anything by HEAD, or by saving it"
    );
    for _ in 0..3 {
        // A player comes back for every range.
        futures::future::join_all((0..4).map(|_| play(&platform, Method::GET, &url))).await;
    }
    assert_eq!(numbers(&platform, &owner, &media_id).await, [1, 1, 1, 1]);
    let [logged] = <[Item; 1]>::try_from(log(&platform, &media_id).await).unwrap();
    assert_eq!(logged["viewer_id"].as_s().unwrap(), &ada.id, "whom the token was made for");
    assert_eq!(logged["user_agent"].as_s().unwrap(), "player/1.0");

    play(&platform, Method::GET, &stream_url(&platform, &ada, &media_id).await).await;
    assert_eq!(numbers(&platform, &owner, &media_id).await, [2, 1, 2, 1], "another token is another view");
    play(&platform, Method::GET, &stream_url(&platform, &grace, &media_id).await).await;
    play(&platform, Method::GET, &stream_url(&platform, &owner, &media_id).await).await;
    assert_eq!(numbers(&platform, &owner, &media_id).await, [3, 2, 3, 2]);
    // Without a token it is for the client to tell of its view.
    let answer = platform.get(&grace, &format!("/media/stream/{media_id}")).await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(numbers(&platform, &owner, &media_id).await, [3, 2, 3, 2]);

    // A token that lives on into the next day is a view of that day too.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    platform.set_clock_offset(86_400 - i64::try_from(now % 86_400).unwrap());
    play(&platform, Method::GET, &url).await;
    play(&platform, Method::GET, &url).await;
    let owner = User { token: platform.log_in(&owner.email).await, ..owner };
    assert_eq!(numbers(&platform, &owner, &media_id).await, [4, 2, 1, 1]);
    platform.shut_down().await;
}

async fn it_plays_whether_the_view_is_recorded_or_not(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (owner, media_id) = ready(&platform).await;
    let viewer = platform.sign_up().await;
    let url = stream_url(&platform, &viewer, &media_id).await;
    for answer in [
        Answer::Drop,
        Answer::Error { status: 400, code: "AccessDeniedException".to_owned(), message: String::new() },
        // Far longer than anybody waits for it.
        Answer::Delay(Duration::from_hours(1)),
    ] {
        for operation in ["BatchGetItem", "TransactWriteItems"] {
            let answer = answer.clone();
            let interception = platform
                .calls()
                .intercept(move |attempt| (attempt.operation == operation).then(|| answer.clone()));
            play(&platform, Method::GET, &url).await;
            drop(interception);
            assert_eq!(numbers(&platform, &owner, &media_id).await, [0; 4]);
        }
    }
    play(&platform, Method::GET, &url).await;
    assert_eq!(numbers(&platform, &owner, &media_id).await, [1; 4], "the player comes back");
    platform.shut_down().await;
}
