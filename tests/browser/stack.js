// The local stack as a process of its own, on free ports, with nothing kept. It ends with the tests, however they end.
//
// `LOCAL` names the binary; by default it is the one that `cargo build --bin local` leaves in `target/debug`. Of its log,
// what S3 answered is kept; the rest is passed on.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const BINARY = process.env.LOCAL ?? `${REPOSITORY}target/debug/local`;

// Node's runner ends what takes too long by a signal, at which nothing would be cleaned up.
process.once('SIGTERM', () => process.exit(1));

const S3_ANSWER = / S3 (?<method>\S+) (?<path>\S+) (?<status>\d+) (?<operation>\S+) (?<partNumber>\S+)$/;

export class Stack {
  /** What S3 answered: method, path, status, operation, and the number of a part; each a text. */
  s3Answers = [];

  /** Starts it with parameters of the template, by their names. */
  static async start(parameters) {
    const settings = Object.entries(parameters).flatMap(([name, value]) => ['--parameter', `${name}=${value}`]);
    const stack = new Stack();
    const ports = ['--port', '0', '--aws-port', '0', '--cdn-port', '0'];
    const options = ['--template', `${REPOSITORY}template.yaml`, '--ephemeral', ...ports];
    const log = `${process.env.RUST_LOG ?? 'error'},local::aws::s3::front=debug`;
    stack.process = spawn(BINARY, [...options, ...settings], {
      env: { ...process.env, RUST_LOG: log, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface({ input: stack.process.stderr }).on('line', (line) => stack.#logged(line));
    stack.ended = once(stack.process, 'exit');
    process.once('exit', () => stack.process.kill());
    for await (const line of createInterface({ input: stack.process.stdout })) {
      const [name, value] = line.split(/\s+/);
      if (name === 'API') stack.apiUrl = value;
      if (name === 'AWS') stack.awsUrl = value;
      if (name === 'Admin') stack.admin = { email: value, password: /password (\S+)/.exec(line)[1] };
      if (line.startsWith('Stop with')) {
        stack.process.stdout.resume();
        return stack;
      }
    }
    throw new Error('The local stack did not start; has `cargo build --bin local` been run?');
  }

  #logged(line) {
    const answer = S3_ANSWER.exec(line)?.groups;
    if (answer) this.s3Answers.push(answer);
    else process.stderr.write(`${line}\n`);
  }

  async stop() {
    this.process.kill();
    await this.ended;
  }
}
