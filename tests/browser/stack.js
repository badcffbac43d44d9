// The local stack as a process of its own, on free ports, with nothing kept. It ends with the tests, however they end.
//
// `LOCAL` names the binary; by default it is the one that `cargo build --bin local` leaves in `target/debug`.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const BINARY = process.env.LOCAL ?? `${REPOSITORY}target/debug/local`;

// Node's runner ends what takes too long by a signal, at which nothing would be cleaned up.
process.once('SIGTERM', () => process.exit(1));

export class Stack {
  /** Starts it with parameters of the template, by their names, and with an admin of this `email` and `password`. */
  static async start(parameters, admin) {
    const settings = Object.entries(parameters).flatMap(([name, value]) => ['--parameter', `${name}=${value}`]);
    const account = admin ? ['--admin-email', admin.email, '--admin-password', admin.password] : [];
    const stack = new Stack();
    const ports = ['--port', '0', '--aws-port', '0', '--cdn-port', '0'];
    const options = ['--template', `${REPOSITORY}template.yaml`, '--ephemeral', ...ports];
    stack.process = spawn(BINARY, [...options, ...settings, ...account], {
      env: { RUST_LOG: 'error', ...process.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    stack.ended = once(stack.process, 'exit');
    process.once('exit', () => stack.process.kill());
    for await (const line of createInterface({ input: stack.process.stdout })) {
      const [name, value] = line.split(/\s+/);
      if (name === 'API') stack.apiUrl = value;
      if (line.startsWith('Stop with')) {
        stack.process.stdout.resume();
        return stack;
      }
    }
    throw new Error('The local stack did not start; has `cargo build --bin local` been run?');
  }

  async stop() {
    this.process.kill();
    await this.ended;
  }
}
