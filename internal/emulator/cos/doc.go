// Package cosemu is an emulator of Tencent COS: a real HTTP server on loopback that serves the calls an export makes, so
// that the production path, the COS SDK included, runs in tests and in the demo.
//
// It owns the documented rules (signatures, checksums, create-only writes, listings) and the faults that a test injects.
// It must never listen on anything but loopback, never be imported by production code, and never answer a call that it
// does not know with anything but 501: a sub-resource that falls through to the object would hide a defect.
//
// What it proves is client logic against documented rules, not COS itself. Only a real bucket can show the text of a
// conflict, create-only writes under load, how long listings and reads lag, what strict mode wants signed, and the
// status of an expired token. The emulator keeps no old versions of an object, even where versioning is enabled, and
// has no multipart uploads.
//
// On disk below Options.Root:
//
//	<bucket>/<key>               the object's bytes, for people to look at (a hard link to its blob)
//	.cos/<bucket>/blobs/<id>     the object's bytes, under a name that is never used twice
//	.cos/<bucket>/meta/<hash>    everything else about one key; renaming this file into place is what commits a write
//	.cos/<bucket>/bucket.json    the bucket's versioning status
package cosemu
