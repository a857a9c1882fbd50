// Work for node under the preload: JSON, buffers, zlib, hashes, promises, a worker, a child.
const crypto = require('crypto');
const zlib = require('zlib');
const {execFileSync} = require('child_process');
const {Worker} = require('worker_threads');

const data = [];
for (let i = 0; i < 5000; i++) data.push({id: i, name: 'n' + (i % 97), list: [i, i * 2, i * 3]});
const text = JSON.stringify(data);
console.log(crypto.createHash('sha256').update(text).digest('hex'));
console.log(JSON.parse(text).filter((one) => one.name === 'n5').length);

const packed = zlib.gzipSync(Buffer.from(text), {level: 6});
console.log(zlib.gunzipSync(packed).length);
const buffers = [];
for (let i = 0; i < 200; i++) buffers.push(Buffer.alloc(10000, i & 255));
console.log(Buffer.concat(buffers).length);
console.log(execFileSync('cat', {input: 'through a pipe'}).toString());

const worker = new Worker(
    'const {parentPort} = require("worker_threads");' +
        'let s = 0; for (let i = 0; i < 100000; i++) s += String(i).length;' +
        'parentPort.postMessage(s);',
    {eval: true});
worker.on('message', (sum) => console.log('worker', sum));
Promise.all([1, 2, 3].map((n) => new Promise((done) => setTimeout(() => done(n), n))))
    .then((all) => console.log(all));
process.on('exit', () => {
    process.exitCode = 4;
});
