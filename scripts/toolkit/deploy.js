// Deploys the inputs on standard input through Tencent's own component code, with the cloud API at STANDIN.
'use strict';
const { Scf } = require('tencent-component-toolkit');
// The client that the toolkit uses, not another version that may be installed beside it.
const { Capi } = require(require.resolve('@tencent-sdk/capi', { paths: [require.resolve('tencent-component-toolkit')] }));

const standin = new URL(process.env.STANDIN);
const request = Capi.prototype.request;
Capi.prototype.request = function (data, options, isV3) {
  return request.call(this, data, { ...options, host: standin.host, protocol: 'http' }, isV3);
};

const inputs = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const credentials = { SecretId: 'AKIDstandin', SecretKey: 'standin', Token: 'standin' };
new Scf(credentials, inputs.region).deploy(inputs).then(
  () => process.exit(0),
  (e) => {
    console.error(e.code, e.message);
    process.exit(1);
  },
);
