# The service in a virtual environment. It is installed again when the checkout changed, from a
# copy, so that nothing is written into the checkout.
unified_mode true
provides :ci_server_virtualenv

property :home, String,
         name_property: true,
         description: 'Directory of the environment (venv), the copy (src) and the digest of what is installed.'
property :python, String,
         required: true,
         description: 'The interpreter, 3.11 or later.'
property :source, String,
         required: true,
         description: 'The checkout.'
property :wheels, [String, nil],
         description: 'Directory of wheels (setuptools among them); nil for PyPI.'

default_action :install

action :install do
  digest = GmAnalytics::Ci.digest(new_resource.source)
  stamp = "#{new_resource.home}/installed.sha256"
  pip = %W(#{new_resource.home}/venv/bin/pip install --quiet --disable-pip-version-check)
  pip.push('--no-index', '--find-links', new_resource.wheels) if new_resource.wheels

  directory new_resource.home do
    mode '0755'
  end

  execute 'make the virtual environment' do
    command %W(#{new_resource.python} -m venv #{new_resource.home}/venv)
    creates "#{new_resource.home}/venv/bin/pip"
  end

  if GmAnalytics::Ci.read(stamp).to_s.strip != digest
    converge_by("copy #{new_resource.source} to #{new_resource.home}/src") do
      GmAnalytics::Ci.copy(new_resource.source, "#{new_resource.home}/src")
    end

    execute 'install what the service needs' do
      command [*pip, '--requirement', "#{new_resource.home}/src/requirements.txt"]
    end

    execute 'install the service' do
      command [*pip, '--editable', "#{new_resource.home}/src"]
    end
  end

  # Last, so that an interrupted installation is done again.
  file stamp do
    content "#{digest}\n"
    mode '0644'
  end
end
