// Package config reads the function's configuration from its environment.
//
// It is the only package that reads the function's variables, and every default and limit stands here. It must never
// read the process's environment itself (main passes os.Getenv, tests a map), keep state, or put the value of a
// variable into an error: a secret may stand in the wrong one.
package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// Ways to hand a continuation to the next invocation.
const (
	RequeueSCF = "scf" // asynchronous Invoke of the function itself
	RequeueCMQ = "cmq" // publish to the topic that triggers the function
)

// Ways to treat a void, a stretch of history in which nothing was found, without proof that it has expired.
const (
	VoidProbe      = "probe"      // probe it in many places, then call it expired
	VoidExhaustive = "exhaustive" // ask for every page of it
)

// QuotaQPS is the calls a second that the service allows an app for each of its APIs (Chat documentation, 1047/34620).
const QuotaQPS = 200

// maxQPS leaves room for apps whose quota Tencent has raised.
const maxQPS = 10_000

// Config is what the environment says, checked; an unset variable has its default. The variable of each field is
// named in its comment.
type Config struct {
	// ChatSDKAppID (CHAT_SDKAPPID, required) is the app, a positive integer below 2^32.
	ChatSDKAppID int
	// ChatSecretKey (CHAT_SECRET_KEY, required) signs the UserSig of ChatAdmin.
	ChatSecretKey Secret
	// ChatAdmin (CHAT_ADMIN, default administrator) is an admin account of the app, at most 32 bytes.
	ChatAdmin string
	// ChatEndpoint (CHAT_ENDPOINT, or by CHAT_REGION, the app's data centre, default china) is a base URL without a trailing
	// slash; plain http for loopback hosts only.
	ChatEndpoint string
	// ChatQPS (CHAT_QPS, default 90, 1 to 10000) is the calls a second of this instance. Above 200 it needs an app with a
	// raised quota.
	ChatQPS int
	// ChatConcurrency (CHAT_CONCURRENCY, default 16, 1 to 200) is the calls in flight of this instance.
	ChatConcurrency int
	// ChatRetentionDays (CHAT_RETENTION_DAYS, default 7, 1 to 3650) is how long the app's plan stores messages. It is for
	// warnings, the order of sweeps, when chunks are looked at again, and how long a file is waited for; it never decides
	// which messages have expired.
	ChatRetentionDays int

	// COSBucket (COS_BUCKET, required) is the bucket's full name, name-appid.
	COSBucket string
	// COSRegion (COS_REGION, required) is the bucket's region, such as ap-guangzhou.
	COSRegion string
	// COSPrefix (COS_PREFIX, default empty) is put before every key: empty, or at most 128 bytes with a trailing slash.
	COSPrefix string
	// COSEndpoint (COS_ENDPOINT, default by bucket and region) is the base URL of the bucket without path or trailing
	// slash; plain http for loopback hosts only. Empty for the default. The Host header still names the bucket.
	COSEndpoint string

	// Requeue (REQUEUE, default scf) is RequeueSCF or RequeueCMQ.
	Requeue string
	// CMQTopic (CMQ_TOPIC) is the TDMQ for CMQ topic that triggers the function; required when Requeue is RequeueCMQ.
	CMQTopic string
	// CloudEndpoint (CLOUD_ENDPOINT, default by product) is the base URL of the cloud API without a trailing slash;
	// plain http for loopback hosts only. Empty for the default.
	CloudEndpoint string

	// ExportSpan (EXPORT_SPAN, default 100000, 1 to 10000000) is the most seqs in a chunk.
	ExportSpan int64
	// ExportChunkBytes (EXPORT_CHUNK_BYTES, default 16777216, 1024 to 268435456) is the size of its gzip at which a chunk
	// is closed.
	ExportChunkBytes int64
	// ExportVoid (EXPORT_VOID, default probe) is VoidProbe or VoidExhaustive.
	ExportVoid string
	// ExportMaxHops (EXPORT_MAX_HOPS, default 10000, 1 to 1000000) is the most continuations of one run.
	ExportMaxHops int
	// ExportMedia (EXPORT_MEDIA, default on) tells whether files are fetched; links are counted in any case.
	ExportMedia bool
	// ExportLook (EXPORT_LOOK: auto, off or a duration; default auto, three quarters of ChatRetentionDays) is how long after
	// its oldest message a chunk is looked at again; 0 for never.
	ExportLook time.Duration

	// MediaHosts (MEDIA_HOSTS, default none) are hosts that files may be fetched from beside Tencent's own. This machine is
	// one only where ChatEndpoint is this machine, too.
	MediaHosts Hosts
	// MediaMaxBytes (MEDIA_MAX_BYTES, default 104857600, 1 to 503316480) is the size of the largest file that is fetched.
	MediaMaxBytes int64

	// LanesSet tells that SWEEP_LANES is set, which versions before had. It is ignored.
	LanesSet bool

	// LogLevel (LOG_LEVEL, default info) is debug, info, warn or error.
	LogLevel string
}

// Error is one variable that is missing or wrong.
type Error struct {
	Variable string // its name
	Problem  string // what is wrong with it; never its value
	Advice   string // what to do
}

// Error names the variable first.
func (e *Error) Error() string { return e.Variable + ": " + e.Problem + "; " + e.Advice }

// Load reads and checks the whole configuration. All problems are reported together: the error joins one *Error for
// each variable.
func Load(getenv func(string) string) (Config, error) {
	r := &reader{getenv: getenv}
	c := Config{
		ChatSDKAppID:      r.sdkAppID("CHAT_SDKAPPID"),
		ChatSecretKey:     r.secretKey("CHAT_SECRET_KEY"),
		ChatAdmin:         r.admin("CHAT_ADMIN", "administrator"),
		ChatEndpoint:      r.chatEndpoint("CHAT_ENDPOINT", "CHAT_REGION"),
		ChatQPS:           r.integer("CHAT_QPS", 90, 1, maxQPS),
		ChatConcurrency:   r.integer("CHAT_CONCURRENCY", 16, 1, 200),
		ChatRetentionDays: r.integer("CHAT_RETENTION_DAYS", 7, 1, 3650),
		COSBucket:         r.name("COS_BUCKET", bucketName, "is not the name of a bucket, name-appid", "set it to the full name as the COS console shows it, such as archive-1250000000"),
		COSRegion:         r.name("COS_REGION", regionName, "is not the name of a region", "set it to the bucket's region, such as ap-guangzhou"),
		COSPrefix:         r.prefix("COS_PREFIX"),
		COSEndpoint:       r.bucketEndpoint("COS_ENDPOINT"),
		Requeue:           r.choice("REQUEUE", RequeueSCF, RequeueSCF, RequeueCMQ),
		CMQTopic:          r.topic("CMQ_TOPIC"),
		CloudEndpoint:     r.endpoint("CLOUD_ENDPOINT"),
		ExportSpan:        int64(r.integer("EXPORT_SPAN", 100_000, 1, 10_000_000)),
		ExportChunkBytes:  int64(r.integer("EXPORT_CHUNK_BYTES", 16<<20, 1<<10, 256<<20)),
		ExportVoid:        r.choice("EXPORT_VOID", VoidProbe, VoidProbe, VoidExhaustive),
		ExportMaxHops:     r.integer("EXPORT_MAX_HOPS", 10_000, 1, 1_000_000),
		ExportMedia:       r.choice("EXPORT_MEDIA", "on", "on", "off") == "on",
		MediaHosts:        r.hosts("MEDIA_HOSTS"),
		MediaMaxBytes:     int64(r.integer("MEDIA_MAX_BYTES", 100<<20, 1, 480<<20)),
		LanesSet:          r.value("SWEEP_LANES") != "",
		LogLevel:          r.choice("LOG_LEVEL", "info", "debug", "info", "warn", "error"),
	}
	c.ExportLook = r.look("EXPORT_LOOK", c.Retention())
	if c.LoopbackMedia() && !c.loopbackChat() {
		r.fail("MEDIA_HOSTS", "names this machine, where only tests have files", "name other hosts, or set CHAT_ENDPOINT to a loopback address, too")
	}
	if c.Requeue == RequeueCMQ && r.value("CMQ_TOPIC") == "" {
		r.fail("CMQ_TOPIC", "is required when REQUEUE is cmq", "name the topic that triggers this function, or set REQUEUE to scf")
	}
	if len(r.problems) > 0 {
		return Config{}, errors.Join(r.problems...)
	}
	return c, nil
}

// Files that are fetched at once share the temporary folder of an instance (SCF documentation: quotas).
const (
	tempBytes   = 512 << 20
	filesAtOnce = 4
)

// FilesAtOnce returns how many files of at most maxBytes are fetched side by side: 4, fewer where they would not fit into
// the temporary folder, and never less than 1.
func FilesAtOnce(maxBytes int64) int {
	return int(max(1, min(filesAtOnce, tempBytes/maxBytes)))
}

// LoopbackMedia reports whether files may be fetched from this machine, and over plain http there.
func (c Config) LoopbackMedia() bool { return slices.ContainsFunc(c.MediaHosts, Loopback) }

func (c Config) loopbackChat() bool {
	u, err := url.Parse(c.ChatEndpoint)
	return err == nil && Loopback(u.Hostname())
}

// Retention returns how long the service stores messages.
func (c Config) Retention() time.Duration { return time.Duration(c.ChatRetentionDays) * 24 * time.Hour }

// Warnings names settings that are allowed, but probably not meant.
func (c Config) Warnings() []string {
	var warnings []string
	if c.LanesSet {
		warnings = append(warnings, "SWEEP_LANES is set but not used any more: a sweep has one lane, at CHAT_QPS calls a second")
	}
	if c.Requeue == RequeueSCF && c.CMQTopic != "" {
		warnings = append(warnings, "CMQ_TOPIC is set but not used: REQUEUE is scf")
	}
	if c.ExportLook > c.Retention()/8*7 {
		warnings = append(warnings, "EXPORT_LOOK is above 7/8 of CHAT_RETENTION_DAYS: messages may expire before they are looked at again")
	}
	if n := FilesAtOnce(c.MediaMaxBytes); c.ExportMedia && n < filesAtOnce {
		warnings = append(warnings, fmt.Sprintf(
			"MEDIA_MAX_BYTES is above %d: %d at once are fetched instead of %d, since the temporary folder has %d MB",
			tempBytes/filesAtOnce, n, filesAtOnce, tempBytes>>20))
	}
	return warnings
}
