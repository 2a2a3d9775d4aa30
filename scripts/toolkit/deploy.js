// Deploys the inputs on standard input through Tencent's own component code: {"inputs": {...}, "zip": "base64"}. Keys come
// from the environment. The cloud API is at STANDIN, if that is set.
'use strict';
// The toolkit's client does not look at certificates (strictSSL: false), and the variables of the function are secrets.
const tls = require('tls');
const connect = tls.connect;
tls.connect = function (...args) {
  for (const options of args) {
    if (options && typeof options === 'object') options.rejectUnauthorized = true;
  }
  return connect.apply(this, args);
};

const { Scf } = require('tencent-component-toolkit');
// The client that the toolkit uses, not another version that may be installed beside it.
const { Capi } = require(require.resolve('@tencent-sdk/capi', { paths: [require.resolve('tencent-component-toolkit')] }));

const { inputs, zip } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const standin = process.env.STANDIN && new URL(process.env.STANDIN);
const request = Capi.prototype.request;
Capi.prototype.request = function (data, options, isV3) {
  // The component uploads the package to a bucket of its own; here it goes with the request, which only the newer
  // signature allows to be that long.
  if (data.Code) {
    data = { ...data, Code: { ZipFile: zip } };
    options = { ...options, isV3: true };
    isV3 = true;
  }
  if (standin) options = { ...options, host: standin.host, protocol: standin.protocol.slice(0, -1) };
  return request.call(this, data, options, isV3);
};

const { TENCENTCLOUD_SECRETID, TENCENTCLOUD_SECRETKEY, TENCENTCLOUD_SESSIONTOKEN } = process.env;
const credentials = { SecretId: TENCENTCLOUD_SECRETID, SecretKey: TENCENTCLOUD_SECRETKEY };
if (TENCENTCLOUD_SESSIONTOKEN) credentials.Token = TENCENTCLOUD_SESSIONTOKEN;
new Scf(credentials, inputs.region).deploy(inputs).then(
  () => process.exit(0),
  (e) => {
    console.error(e.code, e.message);
    process.exit(1);
  },
);
