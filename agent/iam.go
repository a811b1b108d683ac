package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"

	"bootswain/ebs"
	"bootswain/launch"
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

// ConfigIAM prints the smallest policy with which an instance's role can do what
// a launch document asks for. Actions whose resources IAM cannot name are
// allowed for all.
func ConfigIAM(o CheckOptions, scope Scope, stdin io.Reader, stdout io.Writer) error {
	doc, err := readDocument(o.File, stdin)
	if err != nil {
		return err
	}
	asked := readWith(launch.Data{UserData: doc, Given: true}, o.roles())
	if asked.err != nil {
		fmt.Fprint(stdout, faultsText(asked.err))
		return asked.trouble
	}
	if asked.spec.Include != "" {
		// What is included asks for more, and is not here.
		asked = readWith(launch.Data{UserData: doc, Given: true, Included: []byte("version: 1\n")}, o.roles())
	}
	p := scope.policy(asked.spec)
	if len(p.Statement) == 0 {
		return fmt.Errorf("%s asks AWS for nothing: the instance needs no role for it", o.File)
	}
	e := json.NewEncoder(stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(p)
}

func (s Scope) policy(asked *spec.Spec) policy {
	p := policy{Version: "2012-10-17"}
	allow := func(sid string, actions, resources []string, condition map[string]map[string]any) {
		p.Statement = append(p.Statement, statement{sid, "Allow", actions, resources, condition})
	}
	for _, of := range [][2]string{{"Include", asked.Include}, {"Users", usersAddress(asked)}} {
		if action, resource := s.reading(of[1]); action != "" {
			allow(of[0], []string{action}, []string{resource}, nil)
		}
	}
	describe := false
	for _, v := range asked.Volumes {
		name := sid(v.Name)
		for i, source := range v.Encryption.Sources {
			s.allowKey(allow, fmt.Sprintf("Key%s%d", name, i+1), source)
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
	if describe {
		// The instance's side of attaching: a condition on its own ARN needs the
		// instance to be known, and the volumes' side says which ones.
		allow("AttachHere", []string{"ec2:AttachVolume", "ec2:DetachVolume"}, []string{s.arn("ec2", "instance/*")}, nil)
		allow("Look", []string{"ec2:DescribeVolumes", "ec2:DescribeInstances"}, []string{"*"}, nil)
	}
	return p
}

// allowKey lets the key of a volume be had from where it is.
func (s Scope) allowKey(allow func(string, []string, []string, map[string]map[string]any), name string, from spec.KeySource) {
	switch {
	case from.KMS != nil:
		bound := map[string]any{}
		for key, value := range from.KMS.Context {
			bound["kms:EncryptionContext:"+key] = value
		}
		condition, resource := map[string]map[string]any{"StringEquals": bound}, s.arn("kms", "key/*")
		key := from.KMS.Key
		_, alias, isAlias := strings.Cut(key, "alias/")
		switch {
		case strings.HasPrefix(key, "arn:") && strings.Contains(key, ":key/"):
			resource = key
		case isAlias:
			condition["ForAnyValue:StringEquals"] = map[string]any{"kms:ResourceAliases": "alias/" + alias}
		case key != "":
			resource = s.arn("kms", "key/"+key)
		}
		allow(name, []string{"kms:Decrypt"}, []string{resource}, condition)
	case from.SecretsManager != nil:
		action, resource := s.reading("secretsmanager:" + from.SecretsManager.Secret)
		allow(name, []string{action}, []string{resource}, nil)
	case from.SSM != nil:
		parameter, _, _ := strings.Cut(from.SSM.Parameter, ":")
		if strings.HasPrefix(from.SSM.Parameter, "arn:") {
			parameter = from.SSM.Parameter
		}
		action, resource := s.reading("ssm:" + parameter)
		allow(name, []string{action}, []string{resource}, nil)
	}
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
// allowed for. A parameter or secret that a customer's own KMS key encrypts also
// takes kms:Decrypt with that key, which the address does not name.
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
