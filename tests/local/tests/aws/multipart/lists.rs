//! `ListParts` and `ListMultipartUploads`: order, pages, markers.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use futures::future::join_all;

use super::Upload;
use crate::support::{INGEST, Local, MEDIA};

#[tokio::test]
async fn parts_are_listed_in_order_and_in_pages() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let list = || s3.list_parts().bucket(MEDIA).key("a").upload_id(&upload.id);
    let none = list().send().await.unwrap();
    assert_eq!((none.parts().len(), none.is_truncated(), none.max_parts()), (0, Some(false), Some(1000)));
    for number in [8, 1, 10_000, 5, 3, 2] {
        upload.part(number, vec![b'x'; usize::try_from(number).unwrap()]).await;
    }
    let all = list().max_parts(5000).send().await.unwrap();
    let parts: Vec<_> =
        all.parts().iter().map(|part| (part.part_number().unwrap(), part.size().unwrap())).collect();
    assert_eq!(parts, [(1, 1), (2, 2), (3, 3), (5, 5), (8, 8), (10_000, 10_000)]);
    assert_eq!((all.max_parts(), all.next_part_number_marker()), (Some(1000), Some("10000")));
    assert_eq!(all.parts()[1].e_tag(), Some("\"9336ebf25087d91c818ee6e9ec29f8c1\""));
    assert_eq!(all.initiator().unwrap().id(), Some("arn:aws:iam::000000000000:user/local"));

    let mut pages = Vec::new();
    let mut marker = None;
    loop {
        let page = list().max_parts(2).set_part_number_marker(marker).send().await.unwrap();
        pages.push(page.parts().iter().map(|part| part.part_number().unwrap()).collect::<Vec<_>>());
        marker = page.next_part_number_marker().map(str::to_owned);
        if page.is_truncated() == Some(false) {
            break;
        }
    }
    assert_eq!(pages, [[1, 2], [3, 5], [8, 10_000]]);
    let behind = list().part_number_marker("4").max_parts(1).send().await.unwrap();
    assert_eq!((behind.parts()[0].part_number(), behind.is_truncated()), (Some(5), Some(true)));
    assert_eq!(list().max_parts(0).send().await.unwrap().parts().len(), 0);
    for refused in [list().max_parts(-1), list().part_number_marker("-1"), list().part_number_marker("x")] {
        assert_eq!(refused.send().await.unwrap_err().code(), Some("InvalidArgument"));
    }
}

#[tokio::test]
async fn a_page_has_at_most_1000_parts() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    join_all((1..=1001).map(|number| upload.part(number, "x"))).await;
    let list = || s3.list_parts().bucket(MEDIA).key("a").upload_id(&upload.id);
    let first = list().send().await.unwrap();
    assert_eq!((first.parts().len(), first.is_truncated()), (1000, Some(true)));
    let second = list().part_number_marker(first.next_part_number_marker().unwrap()).send().await.unwrap();
    assert_eq!((second.parts().len(), second.is_truncated()), (1, Some(false)));
}

/// Keys and common prefixes, each upload by its place in `ids`.
fn shown(page: &ListMultipartUploadsOutput, ids: &[String]) -> Vec<String> {
    let place = |id: &str| ids.iter().position(|one| one == id).unwrap();
    let uploads = page
        .uploads()
        .iter()
        .map(|one| format!("{} {}", one.key().unwrap(), place(one.upload_id().unwrap())));
    let prefixes = page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned());
    uploads.chain(prefixes).collect()
}

#[tokio::test]
async fn uploads_are_listed_by_key_and_then_by_age() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let mut ids = Vec::new();
    for key in ["b", "c d", "a/2", "b", "a/1"] {
        ids.push(Upload::begin(&s3, MEDIA, key).await.id);
    }
    Upload::begin(&s3, INGEST, "elsewhere").await;
    let list = || s3.list_multipart_uploads().bucket(MEDIA);
    let all = list().send().await.unwrap();
    assert_eq!(shown(&all, &ids), ["a/1 4", "a/2 2", "b 0", "b 3", "c d 1"]);
    assert_eq!((all.is_truncated(), all.max_uploads()), (Some(false), Some(1000)));
    for (request, expected) in [
        (list().prefix("a/"), vec!["a/1 4", "a/2 2"]),
        (list().prefix("b"), vec!["b 0", "b 3"]),
        (list().delimiter("/"), vec!["b 0", "b 3", "c d 1", "a/"]),
        (list().prefix("a/").delimiter("/"), vec!["a/1 4", "a/2 2"]),
        (list().key_marker("b").upload_id_marker(&ids[0]), vec!["b 3", "c d 1"]),
        (list().key_marker("b"), vec!["c d 1"]),
        (list().upload_id_marker(&ids[0]), vec!["a/1 4", "a/2 2", "b 0", "b 3", "c d 1"]),
        (list().key_marker("a/").delimiter("/"), vec!["b 0", "b 3", "c d 1"]),
        (list().max_uploads(0), vec![]),
    ] {
        assert_eq!(shown(&request.clone().send().await.unwrap(), &ids), expected, "{request:?}");
    }
    let encoded =
        list().prefix("c ").encoding_type(aws_sdk_s3::types::EncodingType::Url).send().await.unwrap();
    assert_eq!((encoded.uploads()[0].key(), encoded.prefix()), (Some("c%20d"), Some("c%20")));
    assert_eq!(list().max_uploads(-1).send().await.unwrap_err().code(), Some("InvalidArgument"));

    for (delimiter, expected) in [
        (None, vec!["a/1 4", "a/2 2", "b 0", "b 3", "c d 1"]),
        (Some("/"), vec!["a/", "b 0", "b 3", "c d 1"]),
    ] {
        let mut seen = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let page = list().set_delimiter(delimiter.map(str::to_owned)).max_uploads(1);
            let page = page.set_key_marker(key).set_upload_id_marker(id).send().await.unwrap();
            seen.extend(shown(&page, &ids));
            key = page.next_key_marker().map(str::to_owned);
            id = page.next_upload_id_marker().map(str::to_owned);
            if page.is_truncated() == Some(false) {
                break;
            }
        }
        assert_eq!(seen, expected);
    }
}
