# An Amazon machine image with MariaDB and bootswain:
#
#	packer init packaging/packer
#	packer build -var region=eu-central-1 -var package=bin/bootswain_….deb packaging/packer
#
# What is installed is yours to change. The last provisioner is not: it makes the
# image's identity, removes what the building machine left, and fails the build if
# something is left that must not be in an image. docs/images.md tells more.

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.3.0"
    }
  }
}

variable "region" {
  type = string
}

variable "package" {
  type        = string
  description = "bootswain's .deb, as make deb leaves it in bin/"
}

variable "identity" {
  type        = string
  default     = ""
  description = "age identity file for the image, here; empty has the image make its own"
}

variable "public" {
  type        = bool
  default     = false
  description = "the image will be given to others: it holds no identity"
}

source "amazon-ebs" "debian" {
  region        = var.region
  instance_type = "t3.small"
  ami_name      = "bootswain-{{timestamp}}"
  ssh_username  = "admin"
  encrypt_boot  = !var.public # nobody can share an image that is encrypted with the account's own key

  source_ami_filter {
    filters = {
      name                = "debian-13-amd64-*"
      virtualization-type = "hvm"
    }
    owners      = ["136693071363"] # Debian
    most_recent = true
  }

  # Both for the building machine and for what is launched from the image.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  imds_support = "v2.0"

  temporary_key_pair_type = "ed25519"
}

build {
  sources = ["source.amazon-ebs.debian"]

  provisioner "file" {
    source      = var.package
    destination = "/tmp/bootswain.deb"
  }

  provisioner "shell" {
    execute_command = "sudo env DEBIAN_FRONTEND=noninteractive {{ .Vars }} sh -eu {{ .Path }}"
    inline = [
      "cloud-init status --wait >/dev/null || true", # it may be at apt itself
      "apt-get update",
      "apt-get install -y mariadb-server chrony nftables /tmp/bootswain.deb",
      "rm /tmp/bootswain.deb",
      "apt-get clean",
    ]
  }

  # The identity goes over the memory of the machine: a file that is removed from
  # a disk is still in the blocks of its snapshot.
  provisioner "file" {
    content     = var.identity == "" ? "none\n" : file(var.identity)
    destination = "/dev/shm/identity"
  }

  provisioner "shell" {
    execute_command = "sudo {{ .Vars }} sh -eu {{ .Path }}"
    inline = [
      "bootswain image prepare ${var.public ? "--public" : var.identity == "" ? "" : "--identity /dev/shm/identity"}",
      "rm /dev/shm/identity",
      "bootswain image check ${var.public ? "--public" : ""}",
    ]
  }
}
