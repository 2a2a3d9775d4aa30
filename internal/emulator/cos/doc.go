// Package cosemu is an emulator of Tencent COS: a real HTTP server on loopback that serves the calls an export makes, so
// that the production path, the COS SDK included, runs in tests and in the demo.
//
// It owns the documented rules (signatures, checksums, create-only writes, listings) and the faults that a test injects.
// It must never listen on anything but loopback, never be imported by production code, and never answer a call that it
// does not know with anything but 501: a sub-resource that falls through to the object would hide a defect.
//
// What it proves is client logic against documented rules, not COS itself. Only a real bucket can show the text of a
// conflict, create-only writes under load, how long listings and reads lag, what strict mode wants signed, and the
// status of an expired token. The emulator keeps no old versions of an object, even where versioning is enabled, has
// no multipart uploads, and takes no key with more than 255 bytes between two slashes.
//
// On disk below Options.Root:
//
//	<bucket>/              the objects, as package dirstore keeps them: an archive's folder like any other
//	<bucket>.versioning    the bucket's versioning status, once it has one
//
// A write survives the death of the process at any moment. Lags, version ids and old versions are the process's own.
package cosemu
