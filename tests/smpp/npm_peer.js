// npm `smpp` as the other side, for test_smpp_npm.py. One JSON object a line on stdout.
//   node npm_peer.js smsc                     listens on a free port; what it does with a message, its text says
//   node npm_peer.js esme PORT KIND COUNT     binds to our SMSC as KIND; submits, unless it is a receiver
//   node npm_peer.js called                   an ESME on a free port that an outbind makes bind
//   node npm_peer.js calls PORT               an SMSC that calls our ESME by outbind, and delivers to it
const smpp = require('smpp');
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const BINDS = ['bind_transceiver', 'bind_transmitter', 'bind_receiver'];

function text(pdu) {
  const given = pdu.message_payload || pdu.short_message;
  const message = given.message;
  return {
    source: pdu.source_addr,
    destination: pdu.destination_addr,
    text: Buffer.isBuffer(message) ? message.toString('hex') : message,
    udh: given.udh ? Buffer.concat([].concat(given.udh)).toString('hex') : '',
    data_coding: pdu.data_coding,
    esm_class: pdu.esm_class,
    validity: pdu.validity_period,
    sar: [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum],
    payload: Boolean(pdu.message_payload),
  };
}

function receipt(id) {
  return {
    esm_class: 4,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:0611231630 done date:0611231631 stat:DELIVRD err:000 text:`,
    receipted_message_id: id,
    message_state: 2,
  };
}

function smsc() {
  let count = 0;
  let held = [];
  const receivers = {}; // system_id -> the session that takes receipts
  const known = {}; // message_id -> text
  const server = smpp.createServer((session) => {
    let name = '';
    session.on('error', (fault) => say({ error: String(fault) }));
    for (const kind of BINDS) {
      session.on(kind, (pdu) => {
        const good = pdu.password === 'secret';
        session.send(pdu.response({ command_status: good ? 0 : smpp.ESME_RINVPASWD, system_id: 'npm' }));
        if (!good) return;
        name = pdu.system_id;
        if (kind !== 'bind_transmitter') receivers[name] = session;
        say({ event: kind, system_id: name });
      });
    }
    const refusals = { throttle: smpp.ESME_RTHROTTLED, full: smpp.ESME_RMSGQFUL };
    session.on('submit_sm', (pdu) => {
      count += 1;
      const id = 'n' + count;
      const what = text(pdu);
      const word = what.text.split(' ')[0];
      if (word in refusals && count % 2) {
        session.send(pdu.response({ command_status: refusals[word] }));
        return;
      }
      if (pdu.destination_addr === '0') {
        session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
        return;
      }
      say({ event: 'submit_sm', message_id: id, ...what });
      if (word === 'vanish') { session.destroy(); return; }
      if (word === 'silence') return;
      if (word === 'leave') session.unbind((answer) => say({ event: 'unbind_resp', status: answer.command_status }));
      known[id] = what.text;
      const answer = pdu.response({ message_id: id });
      if (word === 'backwards') {
        held.unshift(answer);
        if (held.length === 5) { held.forEach((one) => session.send(one)); held = []; }
        return;
      }
      session.send(answer);
      if (pdu.registered_delivery) {
        receivers[name].deliver_sm(
          { source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, ...receipt(id) },
          (heard) => say({ event: 'deliver_sm_resp', status: heard.command_status }),
        );
      }
    });
    session.on('query_sm', (pdu) => session.send(pdu.response(pdu.message_id in known
      ? { message_id: pdu.message_id, message_state: 1 } : { command_status: smpp.ESME_RINVMSGID })));
    session.on('replace_sm', (pdu) => {
      const there = pdu.message_id in known;
      if (there) known[pdu.message_id] = String(pdu.short_message); // it has no data_coding
      session.send(pdu.response({ command_status: there ? 0 : smpp.ESME_RREPLACEFAIL }));
      say({ event: 'replace_sm', text: known[pdu.message_id] });
    });
    session.on('cancel_sm', (pdu) => {
      const there = delete known[pdu.message_id] && pdu.message_id !== 'n0';
      session.send(pdu.response({ command_status: there ? 0 : smpp.ESME_RCANCELFAIL }));
    });
    session.on('enquire_link', (pdu) => { say({ event: 'enquire_link' }); session.send(pdu.response()); });
    session.on('unbind', (pdu) => { say({ event: 'unbind' }); session.send(pdu.response()); session.close(); });
    session.on('close', () => say({ event: 'close', system_id: name }));
  });
  server.listen(0, '127.0.0.1', () => say({ event: 'listening', port: server.address().port }));
}

function listen(session) {
  session.on('deliver_sm', (pdu) => { session.send(pdu.response()); say({ event: 'deliver_sm', ...text(pdu) }); });
  session.on('enquire_link', (pdu) => { say({ event: 'enquire_link' }); session.send(pdu.response()); });
  session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
  session.on('error', (fault) => say({ error: String(fault) }));
}

function esme(port, kind, count) {
  const session = smpp.connect({ host: '127.0.0.1', port }, () => {
    session[kind]({ system_id: 'kairos', password: 'secret' }, (bound) => {
      say({ event: 'bound', status: bound.command_status, system_id: bound.system_id });
      if (kind === 'bind_receiver') return;
      const long = '尊敬的客户，漫游套餐九折。'.repeat(12);
      const ways = [
        ...Array.from({ length: Number(count) }, (_, i) => ({ short_message: '您好 ' + i })),
        { short_message: '{x} [y] ~5€ @£Δ', data_coding: 0 },
        { message_payload: { message: long } },
        ...[1, 2].map((part) => ({
          short_message: long.slice(part * 78 - 78, part * 78),
          sar_msg_ref_num: 300, sar_total_segments: 2, sar_segment_seqnum: part,
        })),
        ...[1, 2, 3].map((part) => ({
          short_message: { udh: Buffer.from([5, 0, 3, 9, 3, part]), message: long.slice(part * 67 - 67, part * 67) },
        })),
      ];
      let left = ways.length;
      ways.forEach((way) => session.submit_sm(
        { source_addr: '1008601', destination_addr: '8613900012345', registered_delivery: 1, ...way },
        (answer) => {
          say({ event: 'submit_sm_resp', message_id: answer.message_id, status: answer.command_status });
          left -= 1;
          if (left) return;
          session.query_sm({ message_id: 'm1' }, (told) => say({
            event: 'query_sm_resp', status: told.command_status, state: told.message_state,
          }));
          session.cancel_sm({ message_id: 'm1' }, (told) => say({ event: 'cancel_sm_resp', status: told.command_status }));
          session.replace_sm({ message_id: 'm1', short_message: 'x' }, (told) => say({
            event: 'replace_sm_resp', status: told.command_status,
          }));
        },
      ));
    });
  });
  listen(session);
  session.on('close', () => { say({ event: 'close' }); process.exit(0); });
}

function called() {
  const server = smpp.createServer((session) => {
    listen(session);
    session.on('outbind', (pdu) => {
      say({ event: 'outbind', system_id: pdu.system_id, password: pdu.password });
      session.bind_receiver({ system_id: 'kairos', password: 'secret' }, (answer) => say({
        event: 'bound', status: answer.command_status, system_id: answer.system_id,
      }));
    });
  });
  server.listen(0, '127.0.0.1', () => say({ event: 'listening', port: server.address().port }));
}

function calls(port) {
  const session = smpp.connect({ host: '127.0.0.1', port }, () => session.outbind({ system_id: 'npm', password: 'call' }));
  session.on('bind_receiver', (pdu) => {
    session.send(pdu.response({ system_id: 'npm' }));
    session.deliver_sm({ source_addr: '8613900012345', destination_addr: '1008601', short_message: '好的' },
      (answer) => say({ event: 'deliver_sm_resp', status: answer.command_status }));
  });
  listen(session);
  session.on('close', () => { say({ event: 'close' }); process.exit(0); });
}

const [, , what, ...rest] = process.argv;
({ smsc, esme, called, calls })[what](...rest);
