// A function that does what its event names: {attempt, words}. It answers with what it has seen.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import dgram from 'node:dgram';

const outcome = (action) => {
    try {
        action();
        return 'ok';
    } catch (error) {
        return error.code ?? String(error);
    }
};

const digits = (name) => /^\d+$/.test(name);
const held = [];

const attempts = {
    /** System calls by a library that is made to look like an addon; a new name each time, so that it is loaded anew. */
    call(...words) {
        const base = fs.mkdtempSync('/tmp/addon-');
        fs.copyFileSync('/var/task/addon.node', `${base}/addon.node`);
        fs.writeFileSync(`${base}/calls`, `${words.join(' ')}\n`);
        process.env.HOSTILE_CALLS = `${base}/calls`;
        outcome(() => process.dlopen({ exports: {} }, `${base}/addon.node`));
        return fs.readFileSync(`${base}/calls.out`, 'utf8').trim();
    },

    open_paths(...paths) {
        return paths.flatMap((path) => ['r', fs.constants.O_WRONLY].map((flags) => outcome(() => fs.closeSync(fs.openSync(path, flags)))));
    },

    list_processes() {
        return fs.readdirSync('/proc').filter((name) => digits(name) && Number(name) !== process.pid);
    },

    environments() {
        const names = fs.readdirSync('/proc').filter(digits);
        return names.map((name) => outcome(() => fs.readFileSync(`/proc/${name}/environ`))).filter((seen) => seen !== 'ok');
    },

    signal_init() {
        return [outcome(() => process.kill(1, 'SIGKILL')), outcome(() => process.kill(1, 'SIGTERM')), outcome(() => process.kill(4000, 0))];
    },

    program(path, ...words) {
        const result = spawnSync(path, words, { encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin' } });
        return result.error ? result.error.code : `status ${result.status}`;
    },

    setuid_program(path) {
        // The loader prints what the kernel tells a program about itself, but not to one that has gained privilege.
        const text = execFileSync(path, ['--help'], { encoding: 'utf8', env: { LD_SHOW_AUXV: '1' }, stdio: ['ignore', 'pipe', 'ignore'] });
        return ['AT_EUID', 'AT_SECURE'].map((name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)[1]));
    },

    connect(kind, place) {
        return new Promise((resolve) => {
            const options = kind === 'unix' ? { path: place.replace('@', '\0') } : { host: '127.0.0.1', port: Number(place) };
            const socket = net.connect(options, () => resolve('ok'));
            socket.on('error', (error) => resolve(error.code));
        });
    },

    listen(port) {
        return new Promise((resolve) => {
            net.createServer().on('error', (error) => resolve(error.code)).listen(Number(port), '127.0.0.1', () => resolve('ok'));
        });
    },

    datagram(address) {
        return new Promise((resolve) => {
            const socket = dgram.createSocket('udp4');
            socket.on('error', (error) => resolve(error.code));
            socket.connect(53, address, (error) => resolve(error ? error.code : 'ok'));
        });
    },

    descriptors() {
        for (;;) {
            const seen = outcome(() => held.push(fs.openSync('/dev/null', 'r')));
            if (seen !== 'ok') {
                const amount = held.length;
                held.splice(0).forEach((fd) => fs.closeSync(fd));
                return { error: seen, amount };
            }
        }
    },

    hog(mebibytes) {
        for (let taken = 0; taken < Number(mebibytes); taken++) held.push(Buffer.alloc(1 << 20, 1));
        return { error: 'ok', amount: held.length };
    },

    fork_bomb() {
        return new Promise((resolve) => {
            let made = 0;
            const next = () => {
                const child = spawn('/bin/sleep', ['100'], { stdio: 'ignore', detached: true });
                child.on('error', (error) => resolve({ error: error.code, made }));
                child.on('spawn', () => (++made < 3000 ? next() : resolve({ error: 'ok', made })));
            };
            next();
        });
    },

    /** Bytes on the connection to the daemon, behind the runtime's back. */
    frames(hexadecimal, then) {
        const bytes = Buffer.from(hexadecimal, 'hex');
        for (let sent = 0; sent < bytes.length;) {
            try {
                sent += fs.writeSync(3, bytes, sent);
            } catch (error) {
                if (error.code !== 'EAGAIN') return error.code;
            }
        }
        if (then === 'hang') for (;;);
        if (then === 'exit') process.exit(0);
        return 'answered';
    },
};

export const handler = async ({ attempt, words }) => attempts[attempt](...words);
