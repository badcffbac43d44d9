//! Playing back: the stream URL redirects to a signed one, which answers ranges; what comes is compared with the file.

use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;

use super::client::{Client, read};
use super::source::Source;

/// Up to here the whole file is compared.
const WHOLE_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
const RANGE_BYTES: u64 = 1024 * 1024;

/// A stretch of the file: offset and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    offset: u64,
    length: u64,
}

/// What is asked for by range: the middle, and of a large file the first and last MiB too.
fn stretches(size_bytes: u64) -> Vec<Stretch> {
    let length = size_bytes.div_ceil(3).min(RANGE_BYTES);
    let middle = Stretch { offset: (size_bytes - length) / 2, length };
    if size_bytes <= WHOLE_LIMIT_BYTES {
        return vec![middle];
    }
    vec![Stretch { offset: 0, length }, middle, Stretch { offset: size_bytes - length, length }]
}

/// Compares what is streamed with the file; answers how many bytes were compared.
pub(super) async fn compare(client: &Client, stream_url: &str, source: &Source) -> Result<u64, String> {
    let mut compared = 0;
    for stretch in stretches(source.size_bytes()) {
        compared += compare_range(client, stream_url, source, stretch).await?;
    }
    if source.size_bytes() <= WHOLE_LIMIT_BYTES {
        compared += compare_whole(client, stream_url, source).await?;
    }
    Ok(compared)
}

async fn compare_range(
    client: &Client,
    stream_url: &str,
    source: &Source,
    stretch: Stretch,
) -> Result<u64, String> {
    let Stretch { offset, length } = stretch;
    let last = offset + length - 1;
    let range = format!("bytes={offset}-{last}");
    let range = HeaderValue::from_str(&range).map_err(|error| error.to_string())?;
    let headers = HeaderMap::from_iter([(RANGE, range)]);
    let url = redirect(client, stream_url, headers.clone()).await?;
    let response = client.get(&url, headers).await.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Err(format!("a range was answered {} instead of 206", response.status()));
    }
    let expected = format!("bytes {offset}-{last}/{}", source.size_bytes());
    let content_range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    if content_range != Some(expected.as_str()) {
        return Err(format!("Content-Range is {content_range:?} instead of {expected:?}"));
    }
    let bytes = read(response, &url).await.map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()) != Ok(length) {
        return Err(format!("a range of {length} bytes has {}", bytes.len()));
    }
    check(source, offset, &bytes).await?;
    Ok(length)
}

async fn compare_whole(client: &Client, stream_url: &str, source: &Source) -> Result<u64, String> {
    let url = redirect(client, stream_url, HeaderMap::new()).await?;
    let response = client.get(&url, HeaderMap::new()).await.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("the whole file was answered {} instead of 200", response.status()));
    }
    let mut body = response.into_body();
    let mut offset = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        let Ok(bytes) = frame.into_data() else { continue };
        let end = offset + u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if end > source.size_bytes() {
            return Err(format!("more than {} bytes were played back", source.size_bytes()));
        }
        check(source, offset, &bytes).await?;
        offset = end;
    }
    if offset != source.size_bytes() {
        return Err(format!("{offset} bytes were played back instead of {}", source.size_bytes()));
    }
    Ok(offset)
}

async fn check(source: &Source, offset: u64, bytes: &[u8]) -> Result<(), String> {
    match source.same(offset, bytes).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("bytes differ within the {} from offset {offset}", bytes.len())),
        Err(error) => Err(error.to_string()),
    }
}

async fn redirect(client: &Client, stream_url: &str, headers: HeaderMap) -> Result<String, String> {
    let response = client.get(stream_url, headers).await.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::FOUND {
        return Err(format!("the stream URL answered {} instead of 302", response.status()));
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    location.map(str::to_owned).ok_or_else(|| "the stream URL redirects to nowhere".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Streams this file, but for one thing that may be wrong with it.
    async fn platform(file: Vec<u8>, wrong: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let own = url.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                let request = String::from_utf8(request).unwrap().to_ascii_lowercase();
                let (head, body) = answer(&request, &own, &file, wrong);
                let head =
                    format!("HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(&[head.into_bytes(), body].concat()).await.unwrap();
            }
        });
        format!("{url}/stream")
    }

    fn answer(request: &str, own: &str, file: &[u8], wrong: &str) -> (String, Vec<u8>) {
        if request.starts_with("get /stream") {
            return match wrong {
                "no redirect" => ("200 OK".to_owned(), file.to_vec()),
                "nowhere" => ("302 Found".to_owned(), Vec::new()),
                _ => (format!("302 Found\r\nLocation: {own}/signed"), Vec::new()),
            };
        }
        let mut file = file.to_vec();
        let middle = file.len() / 2;
        match wrong {
            "byte" => file[middle] ^= 1,
            "first byte" => file[0] ^= 1,
            "short" => file.truncate(file.len() - 1),
            "long" => file.push(0),
            _ => {}
        }
        let range = request.lines().find_map(|line| line.strip_prefix("range: bytes="));
        let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
            return ("200 OK".to_owned(), file);
        };
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        match wrong {
            "ranges ignored" => ("200 OK".to_owned(), file),
            "range" => (format!("206 Partial Content\r\nContent-Range: bytes 0-1/{}", file.len()), file),
            "range cut" => {
                (format!("206 Partial Content\r\nContent-Range: bytes {first}-{last}/{}", file.len()), vec![])
            }
            _ => (
                format!("206 Partial Content\r\nContent-Range: bytes {first}-{last}/{}", file.len()),
                file[first..=last].to_vec(),
            ),
        }
    }

    #[tokio::test]
    async fn only_the_same_bytes_pass() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.mp4");
        let file: Vec<u8> = (0..=255).cycle().take(3000).collect();
        std::fs::write(&path, &file).unwrap();
        let source = Source::open(Some(&path)).await.unwrap();
        let played =
            async |wrong| compare(&Client::new(), &platform(file.clone(), wrong).await, &source).await;

        assert_eq!(played("nothing").await, Ok(4000));
        for (wrong, message) in [
            ("byte", "bytes differ within the 1000 from offset 1000"),
            ("first byte", "bytes differ"),
            ("short", "Content-Range is"),
            ("long", "Content-Range is"),
            ("no redirect", "200 OK instead of 302"),
            ("nowhere", "redirects to nowhere"),
            ("ranges ignored", "200 OK instead of 206"),
            ("range", "Content-Range is Some(\"bytes 0-1/3000\") instead of \"bytes 1000-1999/3000\""),
            ("range cut", "a range of 1000 bytes has 0"),
        ] {
            let error = played(wrong).await.unwrap_err();
            assert!(error.contains(message), "{wrong}: {error}");
        }
    }

    #[test]
    fn stretches_lie_within_the_file() {
        assert_eq!(stretches(1), [Stretch { offset: 0, length: 1 }]);
        assert_eq!(stretches(9), [Stretch { offset: 3, length: 3 }]);
        let large = WHOLE_LIMIT_BYTES + 1;
        let all = stretches(large);
        assert_eq!(all.len(), 3);
        assert_eq!(all[0], Stretch { offset: 0, length: RANGE_BYTES });
        assert_eq!(all[2].offset + all[2].length, large);
    }
}
