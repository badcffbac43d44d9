//! Multipart uploads under pressure: whatever races, the outcome is one that some order would have had.

use aws_sdk_s3::error::ProvideErrorMetadata;
use futures::future::join_all;

use super::{MINIMUM_PART_BYTES, Upload, big, files, list, listed};
use crate::support::{INGEST, Local, MEDIA, QUEUE_ARN, body};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_completes_of_one_upload_one_counts_and_all_agree() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    for round in 0..10 {
        let upload = Upload::begin(&s3, INGEST, &format!("uploads/{round}")).await;
        let part = upload.part(1, "one").await;
        let completes: Vec<_> = (0..32)
            .map(|_| {
                let request = s3.complete_multipart_upload().bucket(INGEST).key(&upload.key);
                let request = request.upload_id(&upload.id).if_none_match("*");
                tokio::spawn(request.multipart_upload(list(std::slice::from_ref(&part))).send())
            })
            .collect();
        let mut versions = Vec::new();
        for complete in completes {
            versions.push(complete.await.unwrap().unwrap().version_id.unwrap());
        }
        versions.dedup();
        assert_eq!(versions.len(), 1);
        assert_eq!(body(&s3, INGEST, &upload.key).await.unwrap(), b"one");
    }
    assert_eq!(local.aws.queues().counts(QUEUE_ARN).unwrap().visible, 10, "one event each");
    assert_eq!(files(&local), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_uploads_to_one_key_exactly_one_creates() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    for bucket in [MEDIA, INGEST] {
        for round in 0..10 {
            let key = format!("race-{round}");
            let uploads = (0..32_u8).map(async |writer| {
                let upload = Upload::begin(&s3, bucket, &key).await;
                let part = upload.part(1, vec![writer; 100]).await;
                (writer, upload, part)
            });
            let completes: Vec<_> = join_all(uploads)
                .await
                .into_iter()
                .map(|(writer, upload, part)| {
                    let request = s3.complete_multipart_upload().bucket(bucket).key(&key);
                    let request = request.upload_id(&upload.id).if_none_match("*");
                    let request = request.multipart_upload(list(&[part]));
                    tokio::spawn(async move { (writer, upload, request.send().await) })
                })
                .collect();
            let mut winners = Vec::new();
            for complete in completes {
                match complete.await.unwrap() {
                    (writer, _, Ok(_)) => winners.push(writer),
                    (_, upload, Err(error)) => {
                        assert_eq!(error.code(), Some("PreconditionFailed"));
                        upload.abort().await.unwrap();
                    }
                }
            }
            assert_eq!(winners.len(), 1);
            assert_eq!(body(&s3, bucket, &key).await.unwrap(), vec![winners[0]; 100]);
        }
    }
    assert_eq!(files(&local), 20, "losers leave nothing behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_complete_and_an_abort_never_both_lose() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let mut completed = 0;
    for round in 0..100 {
        let upload = Upload::begin(&s3, INGEST, &format!("uploads/{round}")).await;
        let parts = [upload.part(1, "one").await];
        // Which one is sent first takes turns.
        let (complete, abort) = if round % 2 == 0 {
            tokio::join!(upload.complete(&parts), upload.abort())
        } else {
            let (abort, complete) = tokio::join!(upload.abort(), upload.complete(&parts));
            (complete, abort)
        };
        let stored = body(&s3, INGEST, &upload.key).await;
        match (complete, abort) {
            (Ok(_), Err(code)) => {
                assert_eq!((code.as_str(), stored.unwrap().as_slice()), ("NoSuchUpload", &b"one"[..]));
                completed += 1;
            }
            (Err(code), Ok(())) => assert_eq!((code.as_str(), stored), ("NoSuchUpload", None)),
            other => panic!("{other:?}"),
        }
        assert_eq!(upload.parts().await.unwrap_err(), "NoSuchUpload");
    }
    assert_eq!(files(&local), completed);
    assert_eq!(local.aws.queues().counts(QUEUE_ARN).unwrap().visible, completed as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_part_that_arrives_late_changes_no_object() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let mut completed = 0;
    for round in 0..100 {
        let upload = Upload::begin(&s3, MEDIA, &format!("{round}")).await;
        let parts = [upload.part(1, "first").await];
        let ending = async {
            if round % 4 == 0 {
                upload.abort().await.map(|()| false)
            } else {
                upload.complete(&parts).await.map(|_| true)
            }
        };
        let (ended, replaced) = tokio::join!(ending, upload.try_part(1, b"second".to_vec()));
        let stored = body(&s3, MEDIA, &upload.key).await;
        match ended {
            Ok(true) => {
                assert_eq!(stored.unwrap(), b"first");
                completed += 1;
            }
            Ok(false) => assert_eq!(stored, None),
            Err(code) => {
                assert_eq!((code.as_str(), stored, replaced.is_ok()), ("InvalidPart", None, true));
                upload.abort().await.unwrap();
            }
        }
        if let Err(code) = replaced {
            assert_eq!(code, "NoSuchUpload");
        }
    }
    assert_eq!(files(&local), completed, "no part is left over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_uploads_of_one_part_the_last_one_stays() {
    let local = Local::start().await;
    let upload = Upload::begin(&local.operator_s3(), MEDIA, "a").await;
    let writers = (0..32_u8).map(|writer| upload.try_part(1, vec![writer; 1000]));
    let e_tags: Vec<String> = join_all(writers).await.into_iter().map(Result::unwrap).collect();
    let parts = upload.parts().await.unwrap();
    let writer = e_tags.iter().position(|e_tag| *e_tag == parts[0].1).unwrap();
    assert_eq!((parts.len(), files(&local)), (1, 1));
    upload.complete(&[listed(1, &e_tags[writer])]).await.unwrap();
    let stored = body(&local.operator_s3(), MEDIA, "a").await.unwrap();
    assert!(stored.iter().all(|byte| usize::from(*byte) == writer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_object_is_read_to_its_end_though_it_is_deleted() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = Upload::begin(&s3, MEDIA, "a").await;
    let mut parts = Vec::new();
    for number in 1..=4 {
        parts.push(upload.part(number, big(0)).await);
    }
    upload.complete(&parts).await.unwrap();
    let mut reading = s3.get_object().bucket(MEDIA).key("a").send().await.unwrap().body;
    let mut read = reading.next().await.unwrap().unwrap().len();
    s3.delete_object().bucket(MEDIA).key("a").send().await.unwrap();
    assert_eq!(body(&s3, MEDIA, "a").await, None);
    while let Some(bytes) = reading.next().await {
        read += bytes.unwrap().len();
    }
    assert_eq!(read, 4 * MINIMUM_PART_BYTES);
    assert_eq!(files(&local), 0);
}
