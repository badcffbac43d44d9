// What a page sends to S3, and how fast.

const UPLOAD_BYTES_PER_SECOND = 4 * 1024 * 1024;

/** What S3 answers to parts from now on, in a list that grows. */
export function partsSentBy(page) {
  const responses = [];
  page.on('response', (response) => {
    if (response.request().method() === 'PUT') responses.push(response);
  });
  return responses;
}

export function partNumber(response) {
  return Number(new URL(response.url()).searchParams.get('partNumber'));
}

/** Lets the page send 4 MiB a second, until what is returned is detached. */
export async function slowUploads(page) {
  const session = await page.context().newCDPSession(page);
  const conditions = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: UPLOAD_BYTES_PER_SECOND };
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', conditions);
  return session;
}
