# Carries public keys between the machines, over Vagrant's own SSH: the CI server's to the mirror,
# the mirror's host key to the CI server. Each cookbook puts its machine's half into keys_dir, and
# sshd and the service read the other half there whenever they log in, so nothing else is to do.
class Keys
  HALVES = [
    %w(ci_server ci_server.pub mirror_server),
    %w(mirror_server mirror_server.hostkey ci_server),
  ].freeze
  # One line: a public key with its comment, or with the names of its host before it.
  PUBLIC = %r{\A([A-Za-z0-9._,:\[\]-]+ )?ssh-ed25519 [A-Za-z0-9+/]{68}( [A-Za-z0-9@._-]*)?\z}.freeze

  # `communicators` gives what a running machine is spoken to with, or nil.
  def initialize(site, communicators)
    @site = site
    @communicators = communicators
  end

  # Give the names of the files that were carried.
  def exchange
    ends = HALVES.flat_map { |from, _, to| [from, to] }.uniq.to_h { |name| [name, @communicators.call(name)] }
    return [] unless ends.values.all?

    HALVES.select { |from, file, to| carry(ends, from, to, file) }.map { |_, file, _| file }
  end

  private

  def carry(ends, from, to, file)
    half = read(ends[from], "#{@site.keys_dir(from)}/#{file}")
    target = @site.keys_dir(to)
    return false unless PUBLIC.match?(half)
    return false if read(ends[to], "#{target}/#{file}") == half

    # The pattern leaves nothing in it that a shell could take for more than text.
    ends[to].sudo("umask 022 && mkdir -p #{target} && echo '#{half}' > #{target}/#{file}.new && mv #{target}/#{file}.new #{target}/#{file}")
    true
  end

  def read(communicator, path)
    text = +''
    communicator.sudo("cat #{path} 2>/dev/null || true") { |stream, data| text << data if stream == :stdout }
    text.strip
  end
end
