// Who is logged in. The access token is in memory only; the refresh token is in `sessionStorage`, which outlives a reload,
// and not the tab. An access token is renewed shortly before it ends, and when the API refuses it.
//
// A tab that is duplicated has a copy of the refresh token, which is good for one refresh, in one of them. So tabs with the
// same token tell each other what it was renewed to, on a channel whose name is that token: who does not have it, cannot
// listen.

import { ApiError, MediaApi } from './media-api.js';

const REFRESH_TOKEN = 'refresh_token';
/** Before the end of an access token, so that none ends on its way. */
const RENEWED_BEFORE_MILLISECONDS = 60_000;

/** Has an event `end` when the session is over without having been asked to. */
export class Session extends EventTarget {
  #open;
  #accessToken;
  #renewAt = 0;
  #renewing;
  /** Where tabs with the same refresh token hear of another. */
  #channel;

  /** The API as the session's user calls it. */
  api;
  /** The user, as `GET /users/me` says. */
  user;
  /** An admin chose the password: it has to be changed before anything else is. */
  passwordChangeRequired = false;

  constructor(apiUrl) {
    super();
    this.#open = new MediaApi(apiUrl);
    this.api = new MediaApi(apiUrl, (refused) => this.#token(refused));
  }

  /** Goes on with the session that this tab had, if it had one. Answers whether it did. */
  async resume() {
    if (!sessionStorage.getItem(REFRESH_TOKEN)) return false;
    await this.#renew();
    if (!this.#accessToken) return false;
    await this.reload();
    return true;
  }

  signUp(account) {
    return this.#open.post('/auth/signup', account);
  }

  async logIn(email, password) {
    this.#keep(await this.#open.post('/auth/login', { email, password }));
    await this.reload();
  }

  /** Reads the user again. */
  async reload() {
    this.user = await this.api.get('/users/me');
  }

  async changePassword(currentPassword, newPassword) {
    await this.api.post('/users/me/password', { current_password: currentPassword, new_password: newPassword });
    this.passwordChangeRequired = false;
  }

  async logOut() {
    const refreshToken = sessionStorage.getItem(REFRESH_TOKEN);
    this.#forget();
    // The tab has forgotten it in any case; that the server did not would be of no use to anybody here.
    if (refreshToken) await this.#open.post('/auth/logout', { refresh_token: refreshToken }).catch(() => {});
  }

  async #token(refused) {
    if (refused ? refused === this.#accessToken : Date.now() >= this.#renewAt) await this.#renew();
    return this.#accessToken;
  }

  /** Once at a time: a refresh token is good for one refresh. */
  async #renew() {
    this.#renewing ??= this.#refresh().finally(() => (this.#renewing = undefined));
    await this.#renewing;
  }

  async #refresh() {
    const refreshToken = sessionStorage.getItem(REFRESH_TOKEN);
    if (!refreshToken) return;
    this.#listen(refreshToken);
    try {
      const tokens = await this.#open.post('/auth/refresh', { refresh_token: refreshToken });
      // Somebody may have logged out meanwhile, or another tab been quicker.
      if (sessionStorage.getItem(REFRESH_TOKEN) !== refreshToken) return;
      this.#channel.postMessage(tokens);
      this.#keep(tokens);
    } catch (error) {
      if (sessionStorage.getItem(REFRESH_TOKEN) !== refreshToken) return;
      if (!(error instanceof ApiError && [401, 403, 422].includes(error.status))) throw error;
      this.#forget();
      this.dispatchEvent(new Event('end'));
    }
  }

  #keep({ access_token, expires_in, refresh_token, password_change_required = false }) {
    this.#accessToken = access_token;
    this.#renewAt = Date.now() + 1000 * expires_in - RENEWED_BEFORE_MILLISECONDS;
    this.passwordChangeRequired = password_change_required;
    sessionStorage.setItem(REFRESH_TOKEN, refresh_token);
    this.#listen(refresh_token);
  }

  #listen(refreshToken) {
    if (this.#channel?.name === refreshToken) return;
    this.#channel?.close();
    this.#channel = new BroadcastChannel(refreshToken);
    this.#channel.onmessage = ({ data }) => this.#keep(data);
  }

  #forget() {
    this.#accessToken = undefined;
    this.#renewAt = 0;
    this.user = undefined;
    this.#channel?.close();
    this.#channel = undefined;
    sessionStorage.removeItem(REFRESH_TOKEN);
  }
}
