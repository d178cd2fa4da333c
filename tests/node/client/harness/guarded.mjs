// Both brokers with one user, ana, whose password is `good`, and who may do everything below `open/`.

import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BROKERS, startEbbtide, startMosquitto } from './broker.mjs';
import { folder } from './place.mjs';

const PASSWORD = 'good';
const ROUNDS = 101;

const STARTS = {
  async Ebbtide(t) {
    const config = join(await folder(t), 'ebbtide.toml');
    await writeFile(config, [
      'auth = ["password"]', '[[users]]', 'name = "ana"', `password = "${PASSWORD}"`,
      '[[rules]]', 'effect = "allow"', 'who = { user = "ana" }', 'actions = ["publish", "subscribe", "retain"]', 'topics = ["open/#"]', '',
    ].join('\n'));
    return startEbbtide(t, ['--config', config]);
  },
  async Mosquitto(t) {
    const place = await folder(t);
    const [users, rules] = [join(place, 'users'), join(place, 'rules')];
    const salt = randomBytes(12);
    const hash = pbkdf2Sync(PASSWORD, salt, ROUNDS, 64, 'sha512');
    await writeFile(users, `ana:$7$${ROUNDS}$${salt.toString('base64')}$${hash.toString('base64')}\n`, { mode: 0o600 });
    await writeFile(rules, 'user ana\ntopic readwrite open/#\n', { mode: 0o600 });
    return startMosquitto(t, ['allow_anonymous false', `password_file ${users}`, `acl_file ${rules}`]);
  },
};

/** `guardsFilters`: subscriptions, too; Mosquitto's file of rules lets all through, and looks at each message. */
export const GUARDED = BROKERS.map((broker) => ({ ...broker, start: STARTS[broker.name], guardsFilters: broker.name === 'Ebbtide' }));
