// Package policy holds what a deployment must set besides the function: rights, and what may be forgotten.
//
//	role.json      what the function's execution role may do, and no more: bucket and function
//	cmq.json       in addition, where continuations go through a CMQ topic (REQUEUE=cmq)
//	deployer.json  in addition, what whoever deploys may do
//	auditor.json   what whoever looks at the archive may do: read it, and nothing else
//	trust.json     who may take the role
//	bucket.json    the bucket's own policy: nobody but a named owner may delete, replace or publish what is archived
//	lifecycle.xml  the bucket's lifecycle: what is no proof, and may hold names, ends after 90 days
//
// A test runs the function under these policies: what it does and what they grant are the same set.
//
// The conditions by cos:x-cos-acl and cos:secure-transport are in COS's documentation, and so is what holds where a
// request lacks what a condition asks for: it is not met, with _if_exist it is. cos:x-cos-forbid-overwrite and qcs:uin
// are in no list that COS documents today. They are used so that where COS does not know them too much is refused, not
// too little, and scripts/firstrun asks.
package policy

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"chatexport/internal/config"
)

//go:embed role.json
var role string

//go:embed cmq.json
var cmq string

//go:embed deployer.json
var deployer string

//go:embed auditor.json
var auditor string

//go:embed trust.json
var trust string

//go:embed bucket.json
var bucket string

//go:embed lifecycle.xml
var lifecycle string

// Place is what the policies' placeholders stand for.
type Place struct {
	Region    string
	Bucket    string // name-appid
	Prefix    string // with its trailing slash, or empty
	Namespace string
	Function  string
	Role      string // its name
	Topic     string // of CMQ; empty if there is none
	Owner     string // uin of the account that may delete; empty for nobody
}

// Of returns the place of a configuration.
func Of(c config.Config, namespace, function, role, owner string) Place {
	return Place{
		Region: c.COSRegion, Bucket: c.COSBucket, Prefix: c.COSPrefix, Namespace: namespace, Function: function, Role: role,
		Topic: c.CMQTopic, Owner: owner,
	}
}

// Role returns the policy that the execution role needs.
func Role(p Place) (string, error) { return p.json(role) }

// CMQ returns the policy that it needs in addition to publish to a CMQ topic.
func CMQ(p Place) (string, error) { return p.json(cmq) }

// Deployer returns the policy that deploys, in addition to the role's: at the end of a deployment the function's rights are tried.
func Deployer(p Place) (string, error) { return p.json(deployer) }

// Auditor returns the policy that reads an archive.
func Auditor(p Place) (string, error) { return p.json(auditor) }

// Bucket returns the policy to be set on the bucket.
func Bucket(p Place) (string, error) { return p.json(bucket) }

// Trust returns the policy that lets the platform take the role.
func Trust() string { return trust }

// Lifecycle returns the rules to be set on the bucket for what is no proof.
func Lifecycle(p Place) (string, error) {
	var prefix strings.Builder
	if err := xml.EscapeText(&prefix, []byte(p.Prefix)); err != nil {
		return "", err
	}
	p.Prefix = prefix.String()
	return p.fill(lifecycle)
}

func (p Place) json(text string) (string, error) {
	text, err := p.fill(text)
	if err == nil && !json.Valid([]byte(text)) {
		return "", errors.New("the policy would not be JSON: a value holds a quote or a control character")
	}
	return text, err
}

var placeholder = regexp.MustCompile(`\$\{[A-Z]+\}`)

func (p Place) fill(text string) (string, error) {
	dash := strings.LastIndexByte(p.Bucket, '-')
	if dash < 0 {
		return "", errors.New("the bucket's name has no appid")
	}
	text = strings.NewReplacer(
		"${REGION}", p.Region, "${APPID}", p.Bucket[dash+1:], "${BUCKET}", p.Bucket, "${PREFIX}", p.Prefix,
		"${NAMESPACE}", p.Namespace, "${FUNCTION}", p.Function, "${TOPIC}", p.Topic, "${OWNER}", cmp.Or(p.Owner, "nobody"), "${ROLE}", p.Role,
	).Replace(text)
	if left := placeholder.FindString(text); left != "" {
		return "", fmt.Errorf("the policy has an unknown placeholder %s", left)
	}
	return text, nil
}
