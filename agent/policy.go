package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bootswain/ebs"
	"bootswain/spec"
)

// Scope says where the resources of a policy are. What is not known is "*".
type Scope struct{ Partition, Region, Account string }

func (s Scope) arn(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", s.Partition, service, s.Region, s.Account, resource)
}

// policy is an IAM policy, as IAM reads it:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string]any `json:",omitempty"`
}

// policy allows what asked asks for. keys are the customer-managed keys of KMS
// that encrypt what is at an address.
func (s Scope) policy(asked *spec.Spec, keys map[string]string) policy {
	p := policy{Version: "2012-10-17"}
	allow := func(sid string, actions, resources []string, condition map[string]map[string]any) {
		p.Statement = append(p.Statement, statement{sid, "Allow", actions, resources, condition})
	}
	var read []string
	reading := func(sid, address string) {
		action, resource := s.reading(address)
		if action == "" || slices.Contains(read, address) {
			return
		}
		read = append(read, address)
		allow(sid, []string{action}, []string{resource}, nil)
		if key := keys[address]; key != "" {
			service, region := strings.Split(action, ":")[0], strings.Split(key, ":")[3]
			allow(sid+"Decrypt", []string{"kms:Decrypt"}, []string{key}, map[string]map[string]any{"StringLike": {"kms:ViaService": service + "." + region + ".*"}})
		}
	}
	reading("Include", asked.Include)
	reading("Users", usersAddress(asked))
	describe := false
	for _, v := range asked.Volumes {
		name := sid(v.Name)
		for i, source := range v.Encryption.Sources {
			id := fmt.Sprintf("Key%s%d", name, i+1)
			if source.KMS != nil {
				action, resource, condition := s.decrypting(source.KMS)
				allow(id, []string{action}, []string{resource}, condition)
			}
			reading(id, keyAddress(source))
		}
		var which map[string]any // tags that the volumes carry
		switch {
		case v.EBS.Restore != "":
			which = map[string]any{"aws:ResourceTag/" + ebs.TagRestored: v.EBS.Restore}
			s.allowRestore(allow, name, v.EBS.Restore)
		case len(v.EBS.Tags) > 0:
			which = map[string]any{}
			for key, value := range v.EBS.Tags {
				which["aws:ResourceTag/"+key] = value
			}
		default:
			continue
		}
		describe = true
		carrying := map[string]map[string]any{"StringEquals": which}
		volumes := []string{s.arn("ec2", "volume/*")}
		allow("Attach"+name, []string{"ec2:AttachVolume", "ec2:DetachVolume"}, volumes, carrying)
		tagging := maps.Clone(carrying)
		tagging["ForAllValues:StringEquals"] = map[string]any{"aws:TagKeys": []string{ebs.TagSet, ebs.TagRole, ebs.TagCount}}
		allow("Tag"+name, []string{"ec2:CreateTags"}, volumes, tagging)
	}
	if slices.ContainsFunc(asked.Health.RPO, func(p spec.RPO) bool { return p.Snapshot > 0 }) {
		allow("Copies", []string{"ec2:DescribeSnapshots", "ec2:DescribeVolumes"}, []string{"*"}, nil)
	}
	if describe {
		// The instance's side of attaching: a condition on its own ARN needs the
		// instance to be known, and the volumes' side says which ones.
		allow("AttachHere", []string{"ec2:AttachVolume", "ec2:DetachVolume"}, []string{s.arn("ec2", "instance/*")}, nil)
		allow("Look", []string{"ec2:DescribeVolumes", "ec2:DescribeInstances"}, []string{"*"}, nil)
	}
	return p
}

// decrypting is what lets KMS decrypt the key of a volume.
func (s Scope) decrypting(k *spec.KMS) (action, resource string, condition map[string]map[string]any) {
	bound := map[string]any{}
	for key, value := range k.Context {
		bound["kms:EncryptionContext:"+key] = value
	}
	condition, resource = map[string]map[string]any{"StringEquals": bound}, s.arn("kms", "key/*")
	_, alias, isAlias := strings.Cut(k.Key, "alias/")
	switch {
	case strings.HasPrefix(k.Key, "arn:") && strings.Contains(k.Key, ":key/"):
		resource = k.Key
	case isAlias:
		condition["ForAnyValue:StringEquals"] = map[string]any{"kms:ResourceAliases": "alias/" + alias}
	case k.Key != "":
		resource = s.arn("kms", "key/"+k.Key)
	}
	return "kms:Decrypt", resource, condition
}

// allowRestore lets volumes be made of one snapshot set, and tagged as they are
// made.
func (s Scope) allowRestore(allow func(string, []string, []string, map[string]map[string]any), name, set string) {
	allow("Snapshots"+name, []string{"ec2:DescribeSnapshots"}, []string{"*"}, nil)
	allow("Make"+name, []string{"ec2:CreateVolume"}, []string{s.arn("ec2", "volume/*")},
		map[string]map[string]any{"StringEquals": {"aws:RequestTag/" + ebs.TagRestored: set}})
	// A snapshot's ARN has no account in it.
	snapshots := Scope{s.Partition, s.Region, ""}.arn("ec2", "snapshot/*")
	allow("MakeFrom"+name, []string{"ec2:CreateVolume"}, []string{snapshots},
		map[string]map[string]any{"StringEquals": {"aws:ResourceTag/" + ebs.TagSet: set}})
	allow("TagNew"+name, []string{"ec2:CreateTags"}, []string{s.arn("ec2", "volume/*")},
		map[string]map[string]any{"StringEquals": {"ec2:CreateAction": "CreateVolume"}})
}

func usersAddress(asked *spec.Spec) string {
	if asked.UsersFrom == nil {
		return ""
	}
	return asked.UsersFrom.Address
}

// reading returns the action that reads a document at an address, and what it is
// allowed for.
func (s Scope) reading(address string) (action, resource string) {
	switch kind, rest, _ := strings.Cut(address, ":"); kind {
	case "s3":
		return "s3:GetObject", "arn:" + s.Partition + ":s3:::" + strings.TrimPrefix(rest, "//")
	case "ssm":
		if strings.HasPrefix(rest, "arn:") {
			return "ssm:GetParameter", rest
		}
		return "ssm:GetParameter", s.arn("ssm", "parameter/"+strings.TrimPrefix(rest, "/"))
	case "secretsmanager":
		if strings.HasPrefix(rest, "arn:") {
			return "secretsmanager:GetSecretValue", rest
		}
		return "secretsmanager:GetSecretValue", s.arn("secretsmanager", "secret:"+rest+"-??????") // Secrets Manager adds six characters
	}
	return "", ""
}

// sid is a name as IAM takes it in a statement's id: letters and digits.
func sid(name string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == '_' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
