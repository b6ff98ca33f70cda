// npm `smpp` as the other side, for test_smpp_interop.py. One JSON object a line on stdout.
//   node npm_peer.js smsc                  listens on a free port; answers, throttles, delivers
//   node npm_peer.js esme PORT COUNT       binds to our SMSC, submits COUNT messages, answers deliver_sm
//   node npm_peer.js measure COUNT         npm client against npm server in one process; submits a second
const smpp = require('smpp');
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const text = (pdu) => ({
  source: pdu.source_addr,
  destination: pdu.destination_addr,
  text: pdu.short_message.message.toString(),
  udh: pdu.short_message.udh ? Buffer.concat([].concat(pdu.short_message.udh)).toString('hex') : '',
  data_coding: pdu.data_coding,
  esm_class: pdu.esm_class,
  validity: pdu.validity_period,
});

function smsc() {
  let count = 0;
  const server = smpp.createServer((session) => {
    session.on('error', (fault) => say({ error: String(fault) }));
    for (const kind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
      session.on(kind, (pdu) => {
        const good = pdu.password === 'secret';
        session.send(pdu.response({ command_status: good ? 0 : smpp.ESME_RINVPASWD, system_id: 'npm' }));
        if (good) say({ event: kind, system_id: pdu.system_id });
      });
    }
    session.on('submit_sm', (pdu) => {
      count += 1;
      const what = pdu.short_message.message.toString();
      if (what.startsWith('throttle') && count % 2) {
        session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
        return;
      }
      if (pdu.destination_addr === '0') {
        session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
        return;
      }
      session.send(pdu.response({ message_id: 'n' + count }));
      if (what === 'load') return;
      say({ event: 'submit_sm', message_id: 'n' + count, ...text(pdu) });
      if (pdu.registered_delivery) {
        session.deliver_sm({
          source_addr: pdu.destination_addr,
          destination_addr: pdu.source_addr,
          esm_class: 4,
          short_message: `id:n${count} sub:001 dlvrd:001 submit date:0611231630 done date:0611231631 stat:DELIVRD err:000 text:`,
          receipted_message_id: 'n' + count,
          message_state: 2,
        }, (answer) => say({ event: 'deliver_sm_resp', status: answer.command_status }));
      }
    });
    session.on('cancel_sm', (pdu) => session.send(pdu.response({ command_status: smpp.ESME_RCANCELFAIL })));
    session.on('enquire_link', (pdu) => { say({ event: 'enquire_link' }); session.send(pdu.response()); });
    session.on('unbind', (pdu) => { say({ event: 'unbind' }); session.send(pdu.response()); session.close(); });
  });
  server.listen(0, '127.0.0.1', () => say({ event: 'listening', port: server.address().port }));
}

function esme(port, count) {
  const session = smpp.connect({ host: '127.0.0.1', port }, () => {
    session.bind_transceiver({ system_id: 'kairos', password: 'secret' }, (bound) => {
      say({ event: 'bound', status: bound.command_status, system_id: bound.system_id });
      let left = count;
      for (let i = 0; i < count; i += 1) {
        session.submit_sm({
          source_addr: '1008601', destination_addr: '8613900012345', short_message: '您好 ' + i, registered_delivery: 1,
        }, (answer) => {
          left -= 1;
          if (!left) say({ event: 'submitted', message_id: answer.message_id, status: answer.command_status });
        });
      }
    });
  });
  session.on('deliver_sm', (pdu) => { session.send(pdu.response()); say({ event: 'deliver_sm', ...text(pdu) }); });
  session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
  session.on('close', () => process.exit(0));
}

function measure(count) {
  const server = smpp.createServer((session) => {
    session.on('bind_transceiver', (pdu) => session.send(pdu.response()));
    session.on('submit_sm', (pdu) => session.send(pdu.response({ message_id: 'x' })));
  });
  server.listen(0, '127.0.0.1', () => {
    const session = smpp.connect({ host: '127.0.0.1', port: server.address().port }, () => {
      session.bind_transceiver({}, () => {
        const began = process.hrtime.bigint();
        let sent = 0;
        let left = count;
        const next = () => session.submit_sm({
          source_addr: '1008601', destination_addr: '8613900012345', short_message: 'load',
        }, () => {
          left -= 1;
          if (sent < count) { sent += 1; next(); }
          if (!left) {
            say({ per_s: count / (Number(process.hrtime.bigint() - began) / 1e9) });
            process.exit(0);
          }
        });
        for (; sent < Math.min(128, count); sent += 1) next();
      });
    });
  });
}

const [, , what, ...rest] = process.argv;
({ smsc, esme, measure })[what](...rest.map(Number));
