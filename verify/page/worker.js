// Runs the verifier: one instance for each file, with standard input and
// output and nothing else of WASI preview 1. It has no files and no network.
'use strict';
let compiled;

async function code(base64) {
  const packed = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
  const gzip = new DecompressionStream('gzip'), to = gzip.writable.getWriter();
  const written = to.write(packed).then(() => to.close());
  const chunks = [], from = gzip.readable.getReader();
  for (let r = await from.read(); !r.done; r = await from.read()) chunks.push(r.value);
  await written;
  return WebAssembly.compile(joined(chunks));
}

function joined(chunks) {
  const all = new Uint8Array(chunks.reduce((n, c) => n + c.length, 0));
  let at = 0;
  for (const c of chunks) { all.set(c, at); at += c.length; }
  return all;
}

class Exit { constructor(code) { this.code = code; } }

function run(module, parts) {
  let memory, exit = 0, at = 0;
  const out = [[], []];
  const EBADF = 8;
  const view = () => new DataView(memory.buffer);
  const vectors = (list, n) => Array.from({length: n}, (_, i) =>
    new Uint8Array(memory.buffer, view().getUint32(list + 8 * i, true), view().getUint32(list + 8 * i + 4, true)));
  const wasi = {
    args_sizes_get(count, size) { view().setUint32(count, 0, true); view().setUint32(size, 0, true); return 0; },
    args_get() { return 0; },
    environ_sizes_get(count, size) { return wasi.args_sizes_get(count, size); },
    environ_get() { return 0; },
    clock_time_get(id, precision, to) { view().setBigUint64(to, BigInt(Math.round(performance.now() * 1e6)), true); return 0; },
    random_get(to, n) {
      for (let i = 0; i < n; i += 65536) crypto.getRandomValues(new Uint8Array(memory.buffer, to + i, Math.min(65536, n - i)));
      return 0;
    },
    sched_yield() { return 0; },
    poll_oneoff(subscriptions, events, n, happened) { // only clocks are waited for: their time has come
      for (let i = 0; i < n; i++) {
        new Uint8Array(memory.buffer, events + 32 * i, 32).fill(0);
        view().setBigUint64(events + 32 * i, view().getBigUint64(subscriptions + 48 * i, true), true);
      }
      view().setUint32(happened, n, true);
      return 0;
    },
    proc_exit(code) { throw new Exit(code); },
    fd_close() { return 0; },
    fd_fdstat_get(fd, to) { new Uint8Array(memory.buffer, to, 24).fill(0); return fd < 3 ? 0 : EBADF; },
    fd_fdstat_set_flags() { return 0; },
    fd_prestat_get() { return EBADF; },
    fd_prestat_dir_name() { return EBADF; },
    fd_read(fd, list, n, done) {
      let total = 0;
      for (const v of fd === 0 ? vectors(list, n) : []) {
        while (parts.length > 0 && total < v.length) {
          const chunk = parts[0].subarray(at, at + v.length - total);
          v.set(chunk, total);
          total += chunk.length;
          at += chunk.length;
          if (at === parts[0].length) { parts.shift(); at = 0; }
        }
        break; // a short read is a read
      }
      view().setUint32(done, total, true);
      return fd === 0 ? 0 : EBADF;
    },
    fd_write(fd, list, n, done) {
      if (fd !== 1 && fd !== 2) return EBADF;
      let total = 0;
      for (const v of vectors(list, n)) { out[fd - 1].push(v.slice()); total += v.length; }
      view().setUint32(done, total, true);
      return 0;
    },
  };
  return WebAssembly.instantiate(module, {wasi_snapshot_preview1: wasi}).then(instance => {
    memory = instance.exports.memory;
    try { instance.exports._start(); } catch (e) { if (!(e instanceof Exit)) throw e; exit = e.code; }
    const [said, failed] = out.map(o => new TextDecoder().decode(joined(o)));
    if (exit !== 0) throw new Error(failed || 'exit ' + exit);
    return said;
  });
}

onmessage = async message => {
  try {
    compiled ??= code(message.data.code);
    postMessage({said: await run(await compiled, message.data.parts)});
  } catch (e) {
    postMessage({failed: String(e && e.message || e)});
  }
};
