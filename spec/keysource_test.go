package spec

import (
	"reflect"
	"strings"
	"testing"
)

// keyed is a document whose volume has this encryption, from line 6 column 17.
func keyed(encryption string) []byte {
	return []byte("version: 1\nvolumes:\n  data:\n    ebs: {devices: [/dev/sdf]}\n    mount: /srv/data\n    encryption: " + encryption + "\n")
}

const kmsStanza = "kms: {ciphertext: AQICAHh4, context: {set: orders-db, app: a<b}, key: alias/orders}"

func TestKeySources(t *testing.T) {
	kms := &KMS{Ciphertext: []byte{1, 2, 2, 0, 0x78, 0x78}, Context: map[string]string{"set": "orders-db", "app": "a<b"}, Key: "alias/orders"}
	tests := []struct {
		name, text string
		want       []KeySource
		sealed     string
	}{
		{"kms", "{" + kmsStanza + "}", []KeySource{{KMS: kms}},
			`{"kms":{"ciphertext":"AQICAHh4","context":{"app":"a\u003cb","set":"orders-db"},"key":"alias/orders"}}`},
		{"secretsmanager", "{secretsmanager: {secret: orders/key}, recovery: none}", []KeySource{{SecretsManager: &SecretsManager{Secret: "orders/key"}}},
			`{"secretsmanager":{"secret":"orders/key"}}`},
		{"ssm", "{ssm: {parameter: '/orders/key:3'}}", []KeySource{{SSM: &SSM{Parameter: "/orders/key:3"}}}, `{"ssm":{"parameter":"/orders/key:3"}}`},
		{"command", "{command: [/usr/local/bin/vault-key, orders]}", []KeySource{{Command: []string{"/usr/local/bin/vault-key", "orders"}}},
			`{"command":["/usr/local/bin/vault-key","orders"]}`},
		{"unlock", "{unlock: true}", []KeySource{{Unlock: true}}, `{"unlock":true}`},
		{"sealed to", "{sealed: " + sealed64 + ", sealed_to: [age1aaa]}", []KeySource{{Sealed: sealed, SealedTo: []string{"age1aaa"}}},
			`{"sealed":"` + sealed64 + `","sealed_to":["age1aaa"]}`},
		{"fallback", "{" + kmsStanza + ", fallback: [{sealed: " + sealed64 + "}, {unlock: true}]}", []KeySource{{KMS: kms}, {Sealed: sealed}, {Unlock: true}},
			`{"fallback":[{"sealed":"` + sealed64 + `"},{"unlock":true}],"kms":{"ciphertext":"AQICAHh4","context":{"app":"a\u003cb","set":"orders-db"},"key":"alias/orders"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse(keyed(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			e := s.Volumes[0].Encryption
			if !reflect.DeepEqual(e.Sources, tt.want) {
				t.Errorf("%+v\nwant %+v", e.Sources, tt.want)
			}
			if string(e.Sealed) != tt.sealed {
				t.Errorf("%s\nwant %s", e.Sealed, tt.sealed)
			}
			if got, err := ParseSealed([]byte("encryption: " + tt.text)); err != nil || string(got) != tt.sealed {
				t.Errorf("as a stanza: %s, %v", got, err)
			}
		})
	}
}

func TestKeySourceFaults(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"two", "{" + kmsStanza + ", unlock: true}", "6:111: volumes.data.encryption.unlock contradicts kms (keep one of them, and give the other under fallback)"},
		{"fallback alone", "{fallback: [{unlock: true}]}", "6:17: volumes.data.encryption.sealed missing"},
		{"fallback nothing", "{unlock: true, fallback: [{}]}", "6:43: volumes.data.encryption.fallback[0] names no source of a key (one of sealed, kms, secretsmanager, ssm, command, unlock)"},
		{"fallback two", "{unlock: true, fallback: [{unlock: true, ssm: {parameter: a}}]}", "6:63: volumes.data.encryption.fallback[0].ssm contradicts unlock"},
		{"fallback of fallback", "{unlock: true, fallback: [{unlock: true, fallback: []}]}", "6:58: volumes.data.encryption.fallback[0].fallback unknown"},
		{"sealed_to", "{unlock: true, sealed_to: [age1aaa]}", "6:43: volumes.data.encryption.sealed_to is for sealed (leave it out)"},
		{"ciphertext", "{kms: {ciphertext: hunter2, context: {set: a}}}", "6:36: volumes.data.encryption.kms.ciphertext is not a ciphertext of KMS in base64, or was cut short (the output of bootswain key new --kms)"},
		{"context", "{kms: {ciphertext: AQIC, context: {}}}", "6:51: volumes.data.encryption.kms.context is empty (as in {set: orders-db})"},
		{"context type", "{kms: {ciphertext: AQIC, context: {set: 1}}}", "6:57: volumes.data.encryption.kms.context.set must be text"},
		{"kms key", "{kms: {ciphertext: AQIC, context: {set: a}, key: 'a b'}}", "6:66: volumes.data.encryption.kms.key is not the key of KMS (as in alias/orders)"},
		{"secret", "{secretsmanager: {version: x}}", "6:34: volumes.data.encryption.secretsmanager.secret missing (its name or ARN)"},
		{"version", "{secretsmanager: {secret: a, version: x}}", "6:55: volumes.data.encryption.secretsmanager.version is not the id of a version"},
		{"parameter", "{ssm: {parameter: 'a b'}}", "6:35: volumes.data.encryption.ssm.parameter is not the name or ARN of a parameter (as in /orders-db/volume-key)"},
		{"command relative", "{command: [vault, read]}", "6:27: volumes.data.encryption.command does not begin with the absolute path of a program (as in [/usr/local/bin/volume-key, orders-db])"},
		{"command text", "{command: /bin/vault}", "6:27: volumes.data.encryption.command must be a list, not text"},
		{"command empty", "{command: []}", "6:27: volumes.data.encryption.command does not begin"},
		{"unlock false", "{unlock: false}", "6:26: volumes.data.encryption.unlock must be true (true, or leave it out)"},
		{"too long", "{command: [/bin/" + strings.Repeat("x", 6000) + "]}", "6:17: volumes.data.encryption takes 6021 bytes in the volume's header, which has room for 5120"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(keyed(tt.text))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%v\nwant %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("shows a value: %v", err)
			}
		})
	}
}
